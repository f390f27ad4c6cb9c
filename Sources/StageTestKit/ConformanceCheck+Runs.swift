import StageKit

/// Checks that compare several runs with the same entries.
extension ConformanceCheck {
    /// The observable results of a run.
    private struct Run: Equatable {
        /// The stage's result for each event.
        var reports: [EventReport]
        /// The external effects, without the ends of batches.
        var traces: [String]
        /// The events that the stage has added.
        var emitted: [EventReport] = []
    }

    /// An id that is greater than that of any failing entry in these checks.
    private static var firstGoodID: UInt64 { 1_000_000 }

    /// Runs batches through a new instance in a fresh copy of the fixture.
    private func run(_ batches: [[SampleEntry]], preparing: Bool = true) async throws -> Run {
        let fixture = self.fixture.copy()
        let (reports, emitted) = try await self.withHarness(in: fixture) { harness in
            var reports: [EventReport] = []
            for batch in batches {
                reports += try await Self.work(harness, batch, preparing: preparing)
                try await harness.endBatch()
            }
            return (reports, harness.emitted)
        }
        return Run(reports: reports, traces: Self.withoutBatches(fixture.traces), emitted: emitted)
    }

    /// Checks that the same entries give the same results, regardless of the instance, of the division into batches, of
    /// calls of `prepare`, and of failed entries before them.
    func repeatability(_ entries: [SampleEntry]) async throws -> [String] {
        var found: [String] = []
        let numbered = Self.number(entries, from: Self.firstGoodID)
        let whole = try await self.run([numbered])
        if try await self.run([numbered]) != whole {
            found.append("another instance behaves differently with the same entries")
        }
        if try await self.run(numbered.map { [$0] }) != whole {
            found.append("the stage behaves differently if batches are split differently")
        }
        if S.declaration.preparesEvents, try await self.run([numbered], preparing: false) != whole {
            found.append("prepare has effects")
        }
        if try await self.isChangedByFailures(numbered, whole.reports) {
            found.append("a failed event changes how the stage handles later events")
        }
        return found
    }

    /// Returns whether failed entries change the results of the entries after them.
    private func isChangedByFailures(_ entries: [SampleEntry], _ expected: [EventReport]) async throws -> Bool {
        var failing: [SampleEntry] = []
        // Without the longest entry, which would be processed many times here.
        for entry in self.hostile.dropLast() + entries {
            let alone = try await self.run([Self.number([entry], from: 1)])
            if alone.reports.contains(where: { $0.failure != nil }) { failing.append(entry) }
        }
        let bad = Self.number(failing, from: 1)
        let reports = try await self.run([bad, entries]).reports
        // An entry that fails alone but not after others belongs to a stage that keeps state on purpose, such as a rate
        // limit.
        guard reports.prefix(bad.count).allSatisfy({ $0.failure != nil }) else { return false }
        return Array(reports.dropFirst(bad.count)) != expected
    }

    /// Checks that an entry that is read again, and is not known to be finished, gets as far as the first time and has
    /// the same external effects, regardless of the state that its first run and later entries have left.
    ///
    /// This simulates a worker that was killed in the middle of a batch: the entries are processed, then the same
    /// entries under later ids, and then a new instance with the same fixture processes the first ones again.
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
            found.append("an event that continued at first does not continue when it is read again: \(new.ending)")
        }
        let (revocations, messages) = Self.sent(fixture)
        if revocations.dropFirst(earlier.revocations.count) != sent.revocations[...] {
            found.append("the revocations differ when an entry is read again")
        }
        if messages.dropFirst(earlier.messages.count) != sent.messages[...] {
            found.append("the messages differ when an entry is read again")
        }
        return found
    }

    /// Returns the effects that leave the worker: revocations and messages, in order.
    private static func sent(
        _ fixture: StageFixture
    ) -> (revocations: [RecordingRevocationHandler.Call], messages: [OutgoingMessage]) {
        (fixture.revocations?.calls.filter { $0 != .endBatch } ?? [], fixture.publisher?.messages ?? [])
    }

    /// Returns the entries with consecutive ids.
    static func number(_ entries: [SampleEntry], from first: UInt64) -> [SampleEntry] {
        var numbered = entries
        for index in numbered.indices {
            numbered[index].id = EntryID(milliseconds: first + UInt64(index), sequence: 0)
        }
        return numbered
    }
}

extension EventReport {
    /// Whether the event continues, with the next stage or with a branch.
    fileprivate var goesOn: Bool {
        switch self.ending {
        case .next, .sent, .expanded: true
        case .finished, .waiting, .failed: false
        }
    }
}
