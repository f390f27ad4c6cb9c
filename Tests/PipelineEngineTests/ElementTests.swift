import ComponentKit
import Logging
import StageKit
import StageTestKit
import Testing

@testable import PipelineEngine

@Suite struct ElementTests {
    private let records = ElementResults()
    private let log = RecordingLog()

    private func pipeline(
        _ stages: String, entries: [MemorySource.Entry], batchSize: Int = 4, head: String = ""
    ) throws -> Pipeline {
        var catalogue = Probes.catalogue(entries: entries, batchSize: batchSize)
        catalogue.add(FanStage.self)
        catalogue.add(SneakyFanStage.self)
        catalogue.add(JudgeStage.self)
        catalogue.add(KeepStage.self)
        let records = self.records
        var services = PipelineServices(logger: self.log.logger(label: "test", level: .info))
        services.makeObserver = { ElementResults.Observer(records) }
        let text = "pipeline: test\nsource: { memory: {} }\n\(head)stages:\n\(stages)"
        return try Pipeline(text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services)
    }

    /// Entries with the ids 1-0, 2-0 and so on, each with a number of elements, or without one for `nil`.
    private func entries(_ counts: [Int?]) -> [MemorySource.Entry] {
        counts.enumerated().map { index, count in
            count.map { MemorySource.Entry(UInt64(index + 1), ["key": "k\(index % 5)", "n": "\($0)"]) }
                ?? MemorySource.Entry(UInt64(index + 1), ["key": "k\(index % 5)"])
        }
    }

    /// The messages of the stages, without those of the engine.
    private var messages: [String] { self.log.lines.filter { $0.level == "info" }.map(\.message) }

    @Test("Elements take the place of their entry in stream order, at every later stage and in the outcomes")
    func order() async throws {
        let stages = "  - fan\n  - judge\n  - judge: { waits: true }\n  - judge\n"
        try await self.pipeline(stages, entries: self.entries([nil, 2, 0, 1, nil, 3]), batchSize: 6).run()
        let passed = ["1-0", "2-0#0", "2-0#1", "4-0#0", "5-0", "6-0#0", "6-0#1", "6-0#2"]
        #expect(self.messages == (0..<3).flatMap { _ in passed.map { "0 \($0)" } })
        #expect(
            self.records.text == [
                "1-0 applied", "2-0#0 applied", "2-0#1 applied", "2-0 applied", "3-0 skipped", "4-0#0 applied",
                "4-0 applied", "5-0 applied", "6-0#0 applied", "6-0#1 applied", "6-0#2 applied", "6-0 applied",
            ])
    }

    @Test("An entry has the worst outcome of its elements, and of several equal ones the first")
    func worst() async throws {
        let entries = [MemorySource.Entry(7, ["n": "4", "bad": "1,3"]), MemorySource.Entry(8, ["n": "1"])]
        let pipeline = try self.pipeline("  - fan\n  - judge: { on: 7-0#2, times: 1 }\n", entries: entries)
        try await pipeline.run()
        #expect(
            self.records.text == [
                "7-0#0 applied", "7-0#1 dropped", "7-0#2 dropped", "7-0#3 dropped", "7-0 dropped", "8-0#0 applied",
                "8-0 applied",
            ])
        let (elements, entry) = (self.records.all[0...3].map(\.record), self.records.all[4].record)
        #expect(elements.map(\.error) == [nil, "fan: bad element", "judge: not yet", "fan: bad element"])
        #expect(entry.error == "fan: bad element" && entry.stage == "fan" && entry.reason == "fan_failure")
        #expect(elements.map(\.effects) == [["judge"], [], [], []] && entry.effects == [])
        let statistics = pipeline.statistics
        #expect(statistics.read == 2 && statistics.outcomes.reduce(0) { $0 + $1.count } == 2)
        #expect(statistics.stages.map(\.passed) == [2, 2] && statistics.stages.map(\.failed) == [2, 1])
    }

    /// The outcome of an event that passes two judges, with failures dropped or dead-lettered.
    private func expected(_ event: EventID, _ failure: Outcome) -> Outcome {
        for stage in 1...2 {
            switch Judgement(stage, event) {
            case .passes: continue
            case .skips: return .skipped
            case .fails: return failure
            }
        }
        return .applied
    }

    @Test(
        "Every entry has one outcome, the worst of its elements, whatever the batches, lanes and waiting stages",
        arguments: [1, 3, 64], [0, 1, 2, 3])
    func conservation(batchSize: Int, variant: Int) async throws {
        var random = SplitMix64(state: UInt64(batchSize * 10 + variant))
        let counts = (0..<200).map { _ in [nil, 0, 1, 2, 5, 12][Int(random.next() % 6)] }
        let failure = variant % 2 == 0 ? Outcome.dropped : .deadLettered
        let rule = failure == .dropped ? "" : "\n    on_failure: dead_letter"
        let stages =
            "  - fan\n  - judge: { number: 1, waits: \(variant > 1) }\(rule)\n  - judge: { number: 2 }\(rule)\n"
        let pipeline = try self.pipeline(
            stages, entries: self.entries(counts), batchSize: batchSize,
            head: variant == 3 ? "lanes: { count: 3, key: key }\n" : "")
        try await pipeline.run()
        var lines: [String] = []
        var totals: [Outcome: UInt64] = [:]
        for (index, count) in counts.enumerated() {
            let id = EntryID(milliseconds: UInt64(index + 1), sequence: 0)
            let elements = (0..<(count ?? 0)).map { EventID(id, element: $0) }
            let outcomes = elements.map { self.expected($0, failure) }
            lines += zip(elements, outcomes).map { "\($0) \($1.name)" }
            let whole: Outcome =
                count == 0
                ? .skipped : outcomes.max { $0.severity < $1.severity } ?? self.expected(EventID(id), failure)
            lines.append("\(id) \(whole.name)")
            totals[whole, default: 0] += 1
        }
        #expect(self.records.text == lines)
        let statistics = pipeline.statistics
        #expect(statistics.read == 200)
        for outcome in Outcome.allCases { #expect(statistics.total(outcome) == totals[outcome] ?? 0) }
    }

    @Test("A stage is retried on one element without repeating the others", arguments: [false, true])
    func retry(waits: Bool) async throws {
        let rule = "\n    on_failure: { retry: { attempts: 3, backoff: 1us } }"
        let stages = "  - fan\n  - judge: { waits: \(waits), on: 1-0#1, times: 2 }\(rule)\n"
        try await self.pipeline(stages, entries: self.entries([3])).run()
        let once = ["0 1-0#0", "0 1-0#1", "0 1-0#2"]
        let again = ["0 1-0#1", "0 1-0#1"]
        #expect(self.messages == (waits ? once + again : [once[0], once[1]] + again + [once[2]]))
        #expect(self.records.text == ["1-0#0", "1-0#1", "1-0#2", "1-0"].map { "\($0) applied" })
        let warnings = self.log.lines.filter { $0.message == RetryNotice.message }
        #expect(warnings.map { $0.metadata["entry"] } == ["1-0#1", "1-0#1"])
    }

    @Test("A halt at an element finishes nothing of its batch, and the next run repeats the whole entry")
    func halt() async throws {
        let stages = "  - fan\n  - judge: { on: 2-0#1, times: 1 }\n    on_failure: halt\n"
        let entries = self.entries([1, 3])
        let halt = await #expect(throws: PipelineHalt.self) {
            try await self.pipeline(stages, entries: entries).run()
        }
        #expect(halt?.element == 1 && halt?.entry.milliseconds == 2)
        #expect(halt?.description == "halted by the stage \"judge\" at entry 2-0#1: judge: not yet")
        #expect(self.records.all.isEmpty)
        try await self.pipeline("  - fan\n  - judge\n", entries: entries).run()
        #expect(self.messages.suffix(4) == ["0 1-0#0", "0 2-0#0", "0 2-0#1", "0 2-0#2"])
        #expect(self.records.text.last == "2-0 applied")
    }

    @Test("A halt for an element that the expanding stage itself fails on names the element")
    func haltAtOnce() async throws {
        let entries = [MemorySource.Entry(1, ["n": "2", "bad": "1"])]
        let halt = await #expect(throws: PipelineHalt.self) {
            try await self.pipeline("  - fan: {}\n    on_failure: halt\n", entries: entries).run()
        }
        #expect(halt?.element == 1 && self.records.all.isEmpty)
    }

    @Test("Elements that fail at the expanding stage take the path of its failures; a retry is only for whole events")
    func failures() async throws {
        let entries = [MemorySource.Entry(1, ["n": "3", "bad": "0,2"]), MemorySource.Entry(2, ["n": "x"])]
        let rule = "\n    on_failure: { retry: { attempts: 2, backoff: 1us, then: dead_letter } }"
        try await self.pipeline("  - fan: {}\(rule)\n", entries: entries).run()
        #expect(
            self.records.text == [
                "1-0#0 dead_lettered", "1-0#1 applied", "1-0#2 dead_lettered", "1-0 dead_lettered", "2-0 dead_lettered",
            ])
        #expect(self.log.lines.filter { $0.message == RetryNotice.message }.map { $0.metadata["entry"] } == ["2-0"])
    }

    @Test("In a failure branch, elements have the failure of their event")
    func failedEvent() async throws {
        let text = "  - take: {}\n    on_failure: rest\nbranches:\n  rest:\n    - fan\n    - dead_letter\n"
        try await self.pipeline(text, entries: [MemorySource.Entry(1, ["n": "2", "bad": "0"])]).run()
        let all = self.records.all
        #expect(self.records.text == ["1-0#0", "1-0#1", "1-0"].map { "\($0) dead_lettered" })
        #expect(all.allSatisfy { $0.record.error == "take: bad field" && $0.record.reason == "bad_event" })
    }

    @Test("A stage that expands events without declaring it fails them")
    func undeclared() async throws {
        try await self.pipeline("  - sneaky_fan\n", entries: self.entries([nil])).run()
        #expect(self.records.text == ["1-0 dropped"])
        #expect(self.records.all.first?.record.error?.contains("does not say expands: true") == true)
    }

    @Test("More elements than the limit, or none, fail the event", arguments: [0, WaitingEvents.elementLimit + 1])
    func limits(count: Int) throws {
        let batch = EventBatch()
        batch.appendEntry(EntryID(milliseconds: 1, sequence: 0))
        batch.prepareCells(fieldCount: 1)
        let events = WaitingEvents()
        events.add(0, of: batch)
        events.expand(at: 0, into: count) { _, _ in }
        guard case .fail(let failure) = events.decision(at: 0) else {
            Issue.record("the event did not fail")
            return
        }
        #expect(failure.message.contains("1 to \(WaitingEvents.elementLimit)"))
        #expect(batch.count == 1)
    }

    @Test("Elements share what the source has set for their entry, and leave the batch as it was")
    func batch() throws {
        let batch = EventBatch()
        batch.append(id: EntryID(milliseconds: 1, sequence: 0), fields: [(Array("a".utf8), Array("x".utf8))])
        batch.append(
            id: EntryID(milliseconds: 9, sequence: 0),
            fields: [
                (Array(ReplayedEntry.field.utf8), Array("3-0".utf8)), (Array("a".utf8), Array("y".utf8)),
            ])
        batch.setDeliveries(4)
        batch.takeOriginals()
        batch.prepareCells(fieldCount: 2)
        let field = FieldID(index: 1)
        batch.withEvent(at: 1) { $0.set(field, range: $0.rawField(at: 0).value) }
        #expect(batch.appendElements(of: 1, count: 2) == 2..<4)
        #expect(batch.count == 4 && batch.entryCount == 2)
        for index in 2..<4 {
            batch.withEvent(at: index) { event in
                #expect(event.eventID.description == "9-0#\(index - 2)" && event.orderID.milliseconds == 3)
                #expect(event.isReplayed && event.deliveries == 4 && event.text(of: field) == "y")
                #expect(event.rawFieldCount == 1 && event.effects.isEmpty && event.settled == nil)
            }
        }
        batch.withEvent(at: 2) { $0.set(field, copying: Array("z".utf8)) }
        #expect(batch.withEvent(at: 3) { $0.text(of: field) } == "y")
        batch.removeAdded()
        #expect(
            batch.count == 2 && batch.withEvent(at: 1) { $0.eventID } == EventID(EntryID(milliseconds: 9, sequence: 0)))
        #expect(batch.withEvent(at: 1) { $0.deliveries } == 4 && batch.lastID?.milliseconds == 9)
    }

    @Test(
        "A second expansion, and a store behind an expansion, are errors on every path",
        arguments: [
            ("  - fan\n  - fan\n", "6:5", "fan: behind \"fan\", whose events cannot be expanded again"),
            ("  - fan\n  - keep\n", "6:5", "keep: behind \"fan\", whose events have the id of their entry"),
            ("  - keep\n  - fan\n", nil, ""),
            (
                "  - fan\n  - probe: {}\n    on_failure: rest\nbranches:\n  rest:\n    - keep\n", "10:7",
                "keep: behind \"fan\", whose events have the id of their entry"
            ),
            ("  - keep: {}\n    on_failure: rest\n  - fan\nbranches:\n  rest:\n    - keep\n", nil, ""),
        ] as [(String, String?, String)])
    func checks(stages: String, position: String?, message: String) throws {
        do {
            _ = try self.pipeline(stages, entries: [], head: "stores: { s: { recording: {} } }\n")
            #expect(position == nil)
        } catch let error as ConfigurationError {
            let lines = error.lines
            #expect(
                lines.count == 1 && position.map { lines[0].hasPrefix("p.yaml:\($0): \(message)") } == true, "\(lines)")
        }
    }

    @Test("The picture of a graph says that elements continue")
    func description() throws {
        let graph = try self.pipeline("  - fan\n  - judge\n", entries: []).graph
        #expect(graph.arrows(from: 0, .next).map(\.label) == ["each element"])
    }
}
