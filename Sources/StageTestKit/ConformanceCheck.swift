import StageKit

/// `complete` threw an error, which ends a run.
struct CompleteFailed: Error {
    /// The thrown error.
    var error: any Error
}

/// Checks that apply to every instance of a stage.
struct ConformanceCheck<S: Stage> {
    /// Valid settings.
    var settings: SettingNode
    /// The fixture that the settings refer to.
    var fixture: StageFixture

    private func makeHarness() throws(StageRefused) -> StageHarness<S> {
        try StageHarness(S.self, self.settings, in: self.fixture)
    }

    /// Passes an instance to `body` and shuts it down afterwards.
    func withHarness<R>(
        in fixture: StageFixture, _ body: (StageHarness<S>) async throws -> R
    ) async throws -> R {
        let harness = try StageHarness(S.self, self.settings, in: fixture)
        let result: Result<R, any Error>
        do { result = .success(try await body(harness)) } catch { result = .failure(error) }
        await harness.stage.shutDown()
        return try result.get()
    }

    /// Checks that a stage can be created twice without visible effects, and that an unknown setting is refused with
    /// its position.
    func making() throws -> [String] {
        var found: [String] = []
        let before = self.fixture.traces
        let (first, second) = (try self.makeHarness(), try self.makeHarness())
        if self.fixture.traces != before { found.append("creating the stage has effects") }
        if first.names.fields != second.names.fields || first.names.effects != second.names.effects {
            found.append("creating the stage again gives it other fields or effects")
        }

        let position = SettingPosition(line: 7077, column: 77)
        let unknown = SettingNode.Pair(
            key: "no_such_setting", position: position, value: SettingNode(.null, at: position))
        let entries = (self.settings.pairs ?? []) + [unknown]
        do throws(StageRefused) {
            _ = try StageHarness(S.self, SettingNode(.mapping(entries), at: self.settings.position), in: self.fixture)
            found.append("an unknown setting is accepted")
        } catch {
            if !error.issues.contains(where: { $0.position == position }) {
                found.append("an unknown setting is refused without its name: \(error.issues.map(\.message))")
            }
        }
        return found
    }

    /// Passes a batch through the stage, including the work on waiting events.
    ///
    /// If the stage does not declare `waits`, waiting events are not completed, as in the engine.
    static func work(
        _ harness: StageHarness<S>, _ entries: [SampleEntry], preparing: Bool = true
    ) async throws -> [EventReport] {
        let reports = harness.process(entries, preparing: preparing)
        guard S.declaration.waits else { return reports }
        do {
            return try await harness.complete(reports)
        } catch {
            throw CompleteFailed(error: error)
        }
    }

    /// Checks that the samples are processed and that a failing one leaves no effect.
    func processing(_ entries: [SampleEntry]) async throws -> [String] {
        try await self.withHarness(in: self.fixture) { harness in try await self.processing(entries, harness) }
    }

    private func processing(_ entries: [SampleEntry], _ harness: StageHarness<S>) async throws -> [String] {
        var found: [String] = []
        var accepted = 0
        for entry in entries {
            let before = self.fixture.traces
            let report = try await Self.work(harness, [entry])[0]
            if report.failure == nil { accepted += 1 }
            if report.ending == .waiting {
                found.append("an event waits, but the declaration does not say waits: true")
            }
            if report.elements != nil, !S.declaration.expands {
                found.append("an event is expanded, but the declaration does not say expands: true")
            }
            for element in report.elements ?? [] { found += self.leftovers(of: element, before: before) }
            found += self.leftovers(of: report, before: before)
            try await harness.endBatch()
        }
        if accepted == 0 { found.append("no sample entry is accepted: provide one, or nothing is checked") }
        return found
    }

    /// Checks that a batch without events, which a source may deliver, succeeds and does nothing.
    func emptyBatch() async throws -> [String] {
        let fixture = self.fixture.copy()
        let harness = try StageHarness(S.self, self.settings, in: fixture)
        do {
            try await harness.endBatch()
            try await harness.endBatch()
        } catch {
            return ["endBatch fails on an empty batch: \(error)"]
        }
        return Self.withoutBatches(fixture.traces).isEmpty ? [] : ["endBatch of an empty batch has effects"]
    }

    /// Checks that malformed entries are processed or fail, and that no such failure leaves an effect.
    func hostileEntries() async throws -> [String] {
        try await self.withHarness(in: self.fixture) { harness in try await self.hostileEntries(harness) }
    }

    private func hostileEntries(_ harness: StageHarness<S>) async throws -> [String] {
        var found: [String] = []
        for entry in self.hostile {
            let before = self.fixture.traces
            found += self.leftovers(of: try await Self.work(harness, [entry])[0], before: before)
            try await harness.endBatch()
        }
        return found
    }

    /// Entries with unusual names and values of every kind that a stream can contain.
    var hostile: [SampleEntry] {
        let notText: [UInt8] = [0xFF, 0xC0, 0x80, 0xED, 0xA0, 0x80, 0x00]
        let names = self.fixture.fields.map { Array($0.utf8) }
        return [
            SampleEntry([:]),
            SampleEntry(bytes: [([], [])]),
            SampleEntry(bytes: (0..<1000).map { (Array("field\($0)".utf8), Array("\($0)".utf8)) }),
            SampleEntry(bytes: Array(repeating: (Array("same".utf8), []), count: 1000)),
            SampleEntry(bytes: [(notText, notText)]),
            SampleEntry(bytes: names.map { ($0, notText) }),
            SampleEntry(bytes: names.map { ($0, []) }),
            SampleEntry(bytes: names.map { ($0, Array(repeating: UInt8(ascii: "x"), count: 1 << 20)) }),
        ]
    }

    /// Checks that a pure stage records no effect, sets no outcome, and repeats its results on the same batch.
    func purity(_ entries: [SampleEntry]) async throws -> [String] {
        let harness = try self.makeHarness()
        var found: [String] = []
        let before = self.fixture.traces
        var numbered = entries
        for index in numbered.indices { numbered[index].id = EntryID(milliseconds: UInt64(index + 1), sequence: 0) }
        let first = harness.process(numbered)
        try await harness.endBatch()
        let second = harness.process(numbered)
        try await harness.endBatch()
        if first != second { found.append("a pure stage behaves differently with the same batch") }
        if first.contains(where: { !$0.effects.isEmpty }) { found.append("a pure stage records effects") }
        if first.contains(where: { $0.settled != nil }) { found.append("a pure stage settles outcomes") }
        if self.fixture.traces != before { found.append("a pure stage has external effects") }
        return found
    }

    /// Returns the external effects without the ends of batches, which a stage passes on.
    static func withoutBatches(_ traces: [String]) -> [String] {
        traces.filter { !$0.hasSuffix(": endBatch") }
    }

    private func leftovers(of report: EventReport, before: [String]) -> [String] {
        guard let failure = report.failure else { return [] }
        var found: [String] = []
        if failure.message.isEmpty { found.append("a failure has no message") }
        if let reason = failure.reason, !DeclarationCheck.isSnakeCase(reason) {
            found.append("a failure's reason is not in lower_snake_case: \"\(reason)\"")
        }
        if !report.effects.isEmpty { found.append("a failed event has effects: \(report.effects)") }
        if report.settled != nil { found.append("a failed event has a settled outcome") }
        if self.fixture.traces != before { found.append("a failing call has external effects: \(failure.message)") }
        return found
    }
}
