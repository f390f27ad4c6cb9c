import StageKit

/// Checks of stages whose state is saved (`StatefulStage`).
extension ConformanceCheck {
    /// Checks that a restart after any entry changes nothing: the state is saved, a new instance restores it, and the
    /// last entry before the state was saved is read again.
    func saving(_ entries: [SampleEntry]) throws -> [String] {
        let whole = try StageHarness(S.self, self.settings, in: self.fixture.copy())
        guard whole.stage.stateful != nil else { return [] }
        var found: [String] = []
        let numbered = Self.number(entries, from: 1_000_000)
        let expected = whole.process(numbered)
        for count in 0...numbered.count {
            let first = try StageHarness(S.self, self.settings, in: self.fixture.copy())
            let before = first.process(Array(numbered.prefix(count)))
            let second = try StageHarness(S.self, self.settings, in: self.fixture.copy())
            guard let saved = Self.state(of: first.stage)?.save() else { return found }
            do throws(StageFailure) {
                try Self.state(of: second.stage)?.restore(saved)
            } catch {
                return found + ["a saved state cannot be restored: \(error.message)"]
            }
            let after = second.process(Array(numbered.dropFirst(max(0, count - 1))))
            if before + after.suffix(numbered.count - count) != expected {
                found.append("a restart after \(count) entries changes the results of the entries after it")
            }
            if first.emitted + second.emitted != whole.emitted {
                found.append("a restart after \(count) entries changes the events that the stage adds")
            }
        }
        return found + self.damagedStates(of: whole.stage)
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
