import ComponentKit
import Logging
import StageKit
import StageTestKit
import Testing

@testable import PipelineEngine

/// Delivers batches one at a time, and calls back between them.
private final class SteppedSource: EventSource {
    let stream = "stepped"
    let status = SourceStatus()
    private let batches: [[MemorySource.Entry]]
    private let between: @Sendable (Int) throws -> Void

    init(_ batches: [[MemorySource.Entry]], between: @escaping @Sendable (Int) throws -> Void) {
        self.batches = batches
        self.between = between
    }

    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        for (index, entries) in self.batches.enumerated() {
            try self.between(index)
            let batch = EventBatch()
            for entry in entries { batch.append(id: entry.id, fields: entry.fields) }
            try await deliver(batch)
        }
    }

    func stop() {}
}

/// Holds the pipeline that its own source calls.
private final class Later: Sendable {
    private let held = OrderedMutex<Pipeline?>(nil)
    var pipeline: Pipeline? { self.held.withLock(\.self) }
    func set(_ pipeline: Pipeline) { self.held.withLock { $0 = pipeline } }
}

/// Remembers whether it has seen an event: state that is the instance's own.
private final class FirstStage: Stage {
    static let declaration = StageDeclaration<Bool>(
        name: "first", summary: "Records the first event.", settings: .object(SettingsSchema(true, [])),
        example: "first: {}", failureReason: "first")

    private let effect: EffectID
    private var hasSeen = false

    init(_ settings: Bool, _ setup: StageSetup) {
        self.effect = setup.effect("first")
    }

    func process(_ event: inout Event) throws -> Verdict {
        if !self.hasSeen { event.record(self.effect) }
        self.hasSeen = true
        return .next
    }
}

@Suite struct ReloadTests {
    private static let head = """
        pipeline: test
        source: { stepped: {} }
        stores: { things: { recording: { key: a } } }
        extra: { word: "${WORD}" }

        """

    /// Runs four batches of two entries, `between` called before each of them.
    private func run(
        _ stages: String, records: EventResults = EventResults(), environment: [String: String] = ["WORD": "x"],
        between: @escaping @Sendable (Int, Pipeline) throws -> Void
    ) async throws -> Pipeline {
        let later = Later()
        var catalogue = Probes.catalogue()
        catalogue.add(FirstStage.self)
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(
            SourceType(name: "stepped", summary: "Batches.", settings: nothing) { _, _ in
                let batches = (0..<4).map { batch in
                    (0..<2).map { MemorySource.Entry(UInt64(batch * 2 + $0 + 1), ["a": "\(batch)"]) }
                }
                return SteppedSource(batches) { index in
                    if let pipeline = later.pipeline { try between(index, pipeline) }
                }
            })
        let key = SettingsSchema<String>("", [.required("key", \.self, .text, "The key.")])
        catalogue.add(
            StoreType(name: "recording", summary: "Remembers.", settings: .object(key)) { key, setup in
                RecordingStore(name: setup.name, key: key)
            })
        var services = PipelineServices(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        services.makeObserver = { EventResultsObserver(records) }
        let pipeline = try Pipeline(
            text: Array((Self.head + stages).utf8), file: "p.yaml", environment: environment,
            overrides: [Override("extra.more=1")].compactMap(\.self), catalogue: catalogue, services: services)
        later.set(pipeline)
        try await pipeline.run()
        return pipeline
    }

    private static func file(_ stages: String) -> [UInt8] { Array((self.head + stages).utf8) }

    @Test("A new version applies from the next batch, and nothing is lost, duplicated or reordered")
    func swap() async throws {
        let records = EventResults()
        let pipeline = try await self.run("stages: [{ probe: { effect: one } }]", records: records) { index, pipeline in
            guard index == 1 || index == 3 else { return }
            let text = "stages: [{ probe: { effect: at-\(index) } }, { probe: { effect: too } }]"
            let result = try pipeline.reload(text: Self.file(text))
            #expect(result == .applied(generation: index == 1 ? 2 : 3))
        }
        #expect(records.all.map(\.id.milliseconds) == Array(1...8))
        let (first, last) = (["at-1", "too"], ["at-3", "too"])
        #expect(
            records.all.map(\.record.effects) == [["one"], ["one"], first, first, first, first, last, last])
        let statistics = pipeline.statistics
        #expect(statistics.read == 8)
        #expect(statistics.batches == 4)
        #expect(statistics.outcomes == [.init(outcome: .applied, reason: "", count: 8)])
        #expect(
            pipeline.reloads == PipelineReloads(generation: 3, applied: 2, unchanged: 0, refused: 0, lastError: nil))
    }

    @Test("Counters continue per reason and per kept stage, whatever the stage's number")
    func counts() async throws {
        let pipeline = try await self.run(
            "stages: [{ name: a, probe: { finish_on: 1-0 } }, { name: b, probe: { fail_on: 2-0 } }, first]"
        ) { index, pipeline in
            guard index == 1 else { return }
            // The reasons come in another order, b stands before a, and first is now a name of another type.
            let text = "stages: [{ name: b, probe: { fail_on: 3-0 } }, { name: a, take: { fields: [a] } },"
            try pipeline.reload(text: Self.file(text + " { name: first, probe: { finish_on: 8-0 } }]"))
        }
        let statistics = pipeline.statistics
        #expect(statistics.read == 8)
        #expect(
            Set(statistics.outcomes.map { "\($0.outcome.name) \($0.reason) \($0.count)" })
                == ["applied  4", "skipped enough 2", "dropped probe_failure 2"])
        #expect(
            statistics.stages.map { "\($0.name) \($0.passed) \($0.finished) \($0.failed)" }
                == ["b 5 0 2", "a 5 0 0", "first 4 1 0"])
    }

    @Test("A stage's memory is reset if its settings change, and kept otherwise")
    func state() async throws {
        let records = EventResults()
        let pipeline = try await self.run("stages: [first]", records: records) { index, pipeline in
            guard index == 1 || index == 2 else { return }
            let text = index == 1 ? "# Only a comment.\nstages:\n  - first\n" : "stages: [{ first: }]"
            let result = try pipeline.reload(text: Self.file(text))
            #expect(result == (index == 1 ? .unchanged : .applied(generation: 2)))
        }
        #expect(records.all.map(\.record.effects) == [["first"], [], [], [], ["first"], [], [], []])
        #expect(pipeline.reloads.unchanged == 1)
    }

    @Test("An invalid version is refused with all its errors, and the old one stays active")
    func bad() async throws {
        let records = EventResults()
        let pipeline = try await self.run("stages: [{ probe: { effect: one } }]", records: records) { index, pipeline in
            let text = "stages:\n  - prob: {}\n  - probe: { efect: x }\n    on_failure: nowhere\nbranchs: {}\n"
            let error = #expect(throws: ConfigurationError.self) { try pipeline.reload(text: Self.file(text)) }
            #expect(
                error?.lines == [
                    "p.yaml:6:5: unknown stage type \"prob\" (did you mean probe?)",
                    "p.yaml:7:14: probe: unknown setting \"efect\" (did you mean effect?)",
                    "p.yaml:8:17: probe: on_failure: no branch \"nowhere\" (one of drop, halt, dead_letter, retry)",
                    "p.yaml:9:1: unknown section \"branchs\" (did you mean branches?)",
                    "p.yaml:9:1: branchs: cannot be added while the pipeline runs: restart the worker (only stages "
                        + "and branches can be reloaded)",
                ])
            #expect(pipeline.reloads.lastError == error?.description)
            if index == 3 { try pipeline.reload(text: Self.file("stages: [{ probe: { effect: two } }]")) }
        }
        #expect(records.all.map(\.record.effects.first) == ["one", "one", "one", "one", "one", "one", "two", "two"])
        #expect(
            pipeline.reloads == PipelineReloads(generation: 2, applied: 1, unchanged: 0, refused: 4, lastError: nil))
    }

    /// A whole file with the line it has in place of one of the head.
    private static func file(replacing line: String, with other: String) -> [UInt8] {
        let lines = (self.head + "stages: [probe]").split(separator: "\n").map { $0 == line ? other : String($0) }
        return Array(lines.filter { !$0.isEmpty }.joined(separator: "\n").utf8)
    }

    @Test("A setting that cannot change is named with its position, without values that may be secret")
    func fixed() async throws {
        let why = "while the pipeline runs: restart the worker (only stages and branches can be reloaded)"
        let store = "stores: { things: { recording: { key: a } } }"
        let cases: [(String, String, [String])] = [
            ("pipeline: test", "pipeline: other", ["1:11: pipeline: cannot change \(why)"]),
            (
                "source: { stepped: {} }", "source: { memory: {} }",
                [
                    "2:9: source: stepped: cannot be removed \(why)", "2:11: source: memory: cannot be added \(why)",
                ]
            ),
            (
                store, "stores: { things: { recording: { key: hunter2 } } }",
                ["3:39: stores: things: recording: key: cannot change \(why)"]
            ),
            (
                store, "stores: { things: { recording: { key: a } }, others: { recording: { key: a } } }",
                ["3:46: stores: others: cannot be added \(why)"]
            ),
            (store, "", ["1:1: stores: cannot be removed \(why)"]),
            ("extra: { word: \"${WORD}\" }", "extra: { word: y }", ["4:16: extra: word: cannot change \(why)"]),
            ("extra: { word: \"${WORD}\" }", "extra: { word: x }", []),
            ("extra: { word: \"${WORD}\" }", "extra: { word: [x] }", ["4:16: extra: word: cannot change \(why)"]),
        ]
        let pipeline = try await self.run("stages: [probe]") { _, _ in }
        for (line, other, expected) in cases {
            do throws(ConfigurationError) {
                try pipeline.reload(text: Self.file(replacing: line, with: other))
                #expect(expected == [], "\(other)")
            } catch {
                #expect(error.lines == expected.map { "p.yaml:\($0)" })
            }
        }
        let syntax = #expect(throws: ConfigurationError.self) { try pipeline.reload(text: Array("a: [".utf8)) }
        #expect(syntax?.issues.count == 1)
        #expect(pipeline.reloads.generation == 1)
    }

    @Test("A version applied before the run is the one that runs")
    func beforeRun() async throws {
        let records = EventResults()
        let entries = [MemorySource.Entry(1, ["a": "1"])]
        let head = "pipeline: test\nsource: { memory: {} }\n"
        let pipeline = try Probes.pipeline(head + "stages: [probe]", entries: entries, records: records)
        try pipeline.reload(text: Array((head + "stages: [{ name: new, probe: { effect: two } }]").utf8))
        try await pipeline.run()
        #expect(records.all.map(\.record.effects) == [["two"]])
        #expect(pipeline.statistics.stages.map(\.name) == ["new"])
    }

    @Test("Reasons beyond the limit still count as other after stages change, and the sum is kept")
    func manyReasons() throws {
        func graph(_ reasons: [String]) -> StageGraph {
            let names = GraphNames()
            for reason in reasons { _ = names.reason(reason) }
            return StageGraph(nodes: [], mainCount: 0, starts: [], names: names, keyField: nil)
        }
        let old = graph((0..<60).map { "old\($0)" })
        let new = graph((0..<50).map { "new\($0)" })
        var counters = RunnerCounters(stageCount: 0)
        for index in 0...60 { counters.count(.dropped, ReasonID(index: UInt16(index))) }
        let carried = counters.carried(from: old, to: new)
        #expect(carried.outcomes.reduce(0, +) == 61)
        #expect(new.names.reasons.count == GraphNames.reasonLimit + 1)
        #expect(new.names.reasons.last == "other")
    }
}
