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

    /// The entries with ids that rise one by one.
    static func number(_ entries: [SampleEntry], from first: UInt64) -> [SampleEntry] {
        var numbered = entries
        for index in numbered.indices {
            numbered[index].id = EntryID(milliseconds: first + UInt64(index), sequence: 0)
        }
        return numbered
    }
}
