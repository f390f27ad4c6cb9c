import StageKit

/// Checks of stages whose state is saved (`StatefulStage`).
extension ConformanceCheck {
    /// Checks that a restart after any entry changes nothing: the state is saved, a new instance restores it, and the
    /// last entry before the state was saved is read again.
    func saving(_ entries: [SampleEntry]) async throws -> [String] {
        let whole = try StageHarness(S.self, self.settings, in: self.fixture.copy())
        guard whole.stage.stateful != nil else { return [] }
        var found: [String] = []
        let numbered = Self.number(entries, from: 1_000_000)
        let expected = try await Self.work(whole, numbered)
        for count in 0...numbered.count {
            let first = try StageHarness(S.self, self.settings, in: self.fixture.copy())
            let before = try await Self.work(first, Array(numbered.prefix(count)))
            let second = try StageHarness(S.self, self.settings, in: self.fixture.copy())
            guard let saved = Self.state(of: first.stage)?.save() else { return found }
            do throws(StageFailure) {
                try Self.state(of: second.stage)?.restore(saved)
            } catch {
                return found + ["a saved state cannot be restored: \(error.message)"]
            }
            let after = try await Self.work(second, Array(numbered.dropFirst(max(0, count - 1))))
            if before + after.suffix(numbered.count - count) != expected {
                found.append("a restart after \(count) entries changes the results of the entries after it")
            }
            if first.emitted + second.emitted != whole.emitted {
                found.append("a restart after \(count) entries changes the events that the stage adds")
            }
        }
        return try await found + self.elements(entries) + self.damagedStates(of: whole.stage)
    }

    /// Checks that the elements of an entry, which have its id, count like entries of their own.
    private func elements(_ entries: [SampleEntry]) async throws -> [String] {
        if entries.isEmpty { return [] }
        // Several times, so that a stage that adds events after some number of events does.
        let items = entries + entries + entries
        let later = Self.number(entries, from: 4_000_000_000_000)
        let one = try StageHarness(S.self, self.settings, in: self.fixture.copy())
        let elements = try await Self.work(one, elements: items, of: EntryID(milliseconds: 1_000_000, sequence: 0))
        let other = try StageHarness(S.self, self.settings, in: self.fixture.copy())
        var separate: [EventReport] = []
        for (index, item) in items.enumerated() {
            let id = EntryID(milliseconds: 1_000_000, sequence: UInt64(index))
            separate += try await Self.work(other, elements: [item], of: id)
        }
        let results = [
            try await Self.work(one, later).map(\.ending), try await Self.work(other, later).map(\.ending),
        ]
        let isEqual =
            elements.map(\.ending) == separate.map(\.ending) && results[0] == results[1]
            && one.emitted.map(\.values) == other.emitted.map(\.values)
        return isEqual
            ? [] : ["the elements of an entry do not count like entries: compare eventID, not id"]
    }

    private static func work(
        _ harness: StageHarness<S>, elements: [SampleEntry], of entry: EntryID
    ) async throws -> [EventReport] {
        let reports = harness.processElements(elements, of: entry)
        return try await S.declaration.waits ? harness.complete(reports) : reports
    }

    /// Checks that parts of a state are refused and leave the state unchanged.
    private func damagedStates(of stage: S) -> [String] {
        guard let state = Self.state(of: stage) else { return [] }
        let saved = state.save()
        for count in 0..<saved.count {
            do throws(StageFailure) {
                try state.restore(Array(saved.prefix(count)))
                return ["the first \(count) bytes of a state of \(saved.count) bytes are accepted"]
            } catch {
                if error.message.isEmpty { return ["a damaged state is refused without a message"] }
                if state.save() != saved { return ["a damaged state changes the state"] }
            }
        }
        return []
    }

    private static func state(of stage: S) -> (any StageState)? {
        stage.stateful?.state
    }
}
