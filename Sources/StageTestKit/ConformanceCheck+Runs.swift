import StageKit

/// What holds between runs of the same entries.
extension ConformanceCheck {
    /// What is seen of a run.
    private struct Run: Equatable {
        /// What the stage made of each event.
        var reports: [EventReport]
        /// What was seen from outside, but for the ends of batches.
        var traces: [String]
    }

    /// An id that no failing entry of these checks has.
    private static var firstGoodID: UInt64 { 1_000_000 }

    /// Runs batches through a fresh instance in fresh surroundings.
    private func run(_ batches: [[SampleEntry]], preparing: Bool = true) async throws -> Run {
        let fixture = self.fixture.copy()
        let reports = try await self.withHarness(in: fixture) { harness in
            var reports: [EventReport] = []
            for batch in batches {
                reports += try await Self.work(harness, batch, preparing: preparing)
                try await harness.endBatch()
            }
            return reports
        }
        return Run(reports: reports, traces: Self.withoutBatches(fixture.traces))
    }

    /// The same entries give the same, whichever instance sees them, however they are cut into batches, whether announced
    /// or not, and whatever has failed before them.
    func repeatability(_ entries: [SampleEntry]) async throws -> [String] {
        var found: [String] = []
        let numbered = Self.number(entries, from: Self.firstGoodID)
        let whole = try await self.run([numbered])
        if try await self.run([numbered]) != whole {
            found.append("another instance does something else on the same entries")
        }
        if try await self.run(numbered.map { [$0] }) != whole {
            found.append("the stage does something else where batches are cut another way")
        }
        if S.declaration.preparesEvents, try await self.run([numbered], preparing: false) != whole {
            found.append("prepare changes something")
        }
        if try await self.isChangedByFailures(numbered, whole.reports) {
            found.append("a failed event changes what the stage does with later ones")
        }
        return found
    }

    /// Whether entries that fail leave something in the stage that shows on the entries after them.
    private func isChangedByFailures(_ entries: [SampleEntry], _ expected: [EventReport]) async throws -> Bool {
        var failing: [SampleEntry] = []
        // Not the longest: it would run many times here.
        for entry in self.hostile.dropLast() + entries {
            let alone = try await self.run([Self.number([entry], from: 1)])
            if alone.reports.contains(where: { $0.failure != nil }) { failing.append(entry) }
        }
        let bad = Self.number(failing, from: 1)
        let reports = try await self.run([bad, entries]).reports
        // One that fails alone and not behind others keeps state on purpose, as a limit of events does.
        guard reports.prefix(bad.count).allSatisfy({ $0.failure != nil }) else { return false }
        return Array(reports.dropFirst(bad.count)) != expected
    }

    /// An entry that is read again, and is not known to be finished, goes as far as at its first reading and has the same
    /// effects outside, whatever its first reading and later entries have left behind.
    ///
    /// As after a worker that was killed in the middle of a batch: the entries and the same ones under later ids are worked
    /// on, and then a fresh instance in the same surroundings reads the former again.
    func rereading(_ entries: [SampleEntry]) async throws -> [String] {
        let fixture = self.fixture.copy()
        let first = Self.number(entries, from: Self.firstGoodID)
        let later = Self.number(entries, from: Self.firstGoodID + UInt64(entries.count))
        let (before, sent) = try await self.withHarness(in: fixture) { harness in
            let reports = try await Self.work(harness, first)
            try await harness.endBatch()
            let sent = Self.sent(fixture)
            _ = try await Self.work(harness, later)
            try await harness.endBatch()
            return (reports, sent)
        }
        let earlier = Self.sent(fixture)
        let again = try await self.withHarness(in: fixture) { harness in
            let reports = try await Self.work(harness, first)
            try await harness.endBatch()
            return reports
        }
        var found: [String] = []
        for (old, new) in zip(before, again) where old.goesOn && old.ending != new.ending {
            found.append("an event that went on does not when it is read again: \(new.ending)")
        }
        let (revocations, messages) = Self.sent(fixture)
        if revocations.dropFirst(earlier.revocations.count) != sent.revocations[...] {
            found.append("the revocations of an entry that is read again are not the same")
        }
        if messages.dropFirst(earlier.messages.count) != sent.messages[...] {
            found.append("the messages of an entry that is read again are not the same")
        }
        return found
    }

    /// The effects that leave the worker: revocations and messages, in order.
    private static func sent(
        _ fixture: StageFixture
    ) -> (revocations: [RecordingRevocationHandler.Call], messages: [OutgoingMessage]) {
        (fixture.revocations?.calls.filter { $0 != .endBatch } ?? [], fixture.publisher?.messages ?? [])
    }

    /// The entries with ids that rise one by one.
    static func number(_ entries: [SampleEntry], from first: UInt64) -> [SampleEntry] {
        var numbered = entries
        for index in numbered.indices {
            numbered[index].id = EntryID(milliseconds: first + UInt64(index), sequence: 0)
        }
        return numbered
    }
}

extension EventReport {
    /// Whether the stage lets the event go on, to the next stage or to a branch.
    fileprivate var goesOn: Bool {
        switch self.ending {
        case .next, .sent: true
        case .finished, .waiting, .failed: false
        }
    }
}
