import ComponentKit
import Logging
import PipelineEngine
import ServiceLifecycle
import StageKit
import StageTestKit
import Testing

@Suite struct FailureRuleTests {
    private func pipeline(
        _ stages: String, batchSize: Int = 4, records: EventResults = EventResults(), log: RecordingLog = RecordingLog()
    ) throws -> Pipeline {
        let entries = (1...10).map { MemorySource.Entry(UInt64($0), ["a": "\($0)"]) }
        return try Probes.pipeline(
            "pipeline: test\nsource: { memory: {} }\nstages:\n" + stages, entries: entries, batchSize: batchSize,
            records: records, log: log)
    }

    @Test("A stage is retried on the failed event, and the events after it wait", arguments: [1, 4, 10])
    func retry(batchSize: Int) async throws {
        let records = EventResults()
        let log = RecordingLog()
        let pipeline = try self.pipeline(
            """
              - flaky: { on: 3-0, times: 2 }
                on_failure: { retry: { attempts: 3, backoff: 1us } }
              - probe
            """, batchSize: batchSize, records: records, log: log)
        try await pipeline.run()
        #expect(records.all.map(\.id.milliseconds) == Array(1...10))
        #expect(records.all.allSatisfy { $0.record.outcome == .applied && $0.record.effects == ["flaky", "probe"] })
        let calls = log.lines.filter { $0.level == "info" }.map(\.message)
        #expect(calls == [1, 2, 3, 3, 3, 4, 5, 6, 7, 8, 9, 10].map { "process \($0)-0" })
        let warnings = log.lines.filter { $0.message == "stage failed: retrying" }
        #expect(warnings.map { $0.metadata["attempt"] } == ["1", "2"])
        #expect(warnings.allSatisfy { $0.metadata["entry"] == "3-0" && $0.metadata["stage"] == "flaky" })
        let counts = try #require(pipeline.statistics.stages.first)
        #expect(counts.retried == 2)
        #expect(counts.failed == 0)
        #expect(counts.passed == 10)
    }

    @Test("Waiting events that failed are completed again alone, then all continue in stream order")
    func retryWaiting() async throws {
        let records = EventResults()
        let log = RecordingLog()
        let pipeline = try self.pipeline(
            """
              - waiting_flaky: { on: 3-0, times: 2 }
                on_failure: { retry: { attempts: 3, backoff: 1us } }
              - probe
            """, records: records, log: log)
        try await pipeline.run()
        #expect(records.all.map(\.id.milliseconds) == Array(1...10))
        #expect(records.all.allSatisfy { $0.record.outcome == .applied && $0.record.effects == ["flaky", "probe"] })
        let calls = log.lines.map(\.message).filter { $0.hasPrefix("complete") }
        #expect(calls == ["complete 4", "complete 1", "complete 1", "complete 4", "complete 2"])
        #expect(pipeline.statistics.stages.first?.retried == 2)
    }

    /// What follows the last attempt: the word in the file, the outcome and the effects.
    struct Ending: Sendable, CustomTestStringConvertible {
        var then: String
        var outcome: Outcome
        var effects: [String]
        var testDescription: String { self.then }
    }

    static let endings = [
        Ending(then: "", outcome: .dropped, effects: []),
        Ending(then: ", then: drop", outcome: .dropped, effects: []),
        Ending(then: ", then: rescue", outcome: .dropped, effects: ["rescued"]),
        Ending(then: ", then: dead_letter", outcome: .deadLettered, effects: ["dead"]),
        Ending(then: ", then: { dead_letter: { stream: other } }", outcome: .deadLettered, effects: ["other"]),
    ]

    @Test("After the last attempt the configured action applies", arguments: endings, ["flaky", "waiting_flaky"])
    func afterRetry(ending: Ending, type: String) async throws {
        let records = EventResults()
        let branches = ending.then.contains("rescue") ? "branches: { rescue: [ probe: { effect: rescued } ] }\n" : ""
        let pipeline = try self.pipeline(
            "  - \(type): { on: 3-0, times: 9 }\n    on_failure: { retry: { attempts: 2, backoff: 1us\(ending.then) "
                + "} }\n"
                + branches, records: records)
        try await pipeline.run()
        #expect(records.all.count == 10)
        let record = try #require(records.all.first { $0.id.milliseconds == 3 }?.record)
        #expect(record.outcome == ending.outcome)
        #expect(record.reason == "flaky_failure")
        #expect(record.stage == type)
        #expect(record.effects == ending.effects)
        #expect(pipeline.statistics.stages.first?.retried == 1)
        #expect(pipeline.statistics.stages.first?.failed == 1)
    }

    @Test("Without settings there are three attempts")
    func defaults() async throws {
        let pipeline = try self.pipeline("  - flaky: { on: 3-0, times: 2 }\n    on_failure: retry\n")
        try await pipeline.run()
        #expect(pipeline.statistics.total(.applied) == 10)
        #expect(pipeline.statistics.stages.first?.retried == 2)
    }

    @Test(
        "A halt ends the run with an error that names the entry, and the cursor stays before the batch",
        arguments: [
            ("flaky", "halt", 1), ("waiting_flaky", "halt", 1),
            ("flaky", "{ retry: { attempts: 2, backoff: 1us, then: halt } }", 2),
            ("waiting_flaky", "{ retry: { attempts: 2, backoff: 1us, then: halt } }", 2),
        ])
    func halt(type: String, rule: String, attempts: Int) async throws {
        let records = EventResults()
        let pipeline = try self.pipeline(
            "  - \(type): { on: 7-0, times: 9 }\n    name: \(type)_it\n    on_failure: \(rule)\n", records: records)
        let halt = await #expect(throws: PipelineHalt.self) { try await pipeline.run() }
        #expect(halt?.entry == EntryID(milliseconds: 7, sequence: 0))
        #expect(halt?.stage == "\(type)_it")
        #expect(halt?.message == "flaky: not yet")
        #expect(halt?.attempts == attempts)
        #expect(pipeline.source.status.cursor == EntryID(milliseconds: 4, sequence: 0))
        #expect(records.all.map(\.id.milliseconds) == [1, 2, 3, 4])
        #expect(pipeline.statistics.read == 4)
    }

    @Test("If a pure first stage halts, the earlier events are processed first")
    func haltAtTheHead() async throws {
        let log = RecordingLog()
        let entries = (1...6).map { MemorySource.Entry($0, [$0 == 4 ? "bad" : "a": "x"]) }
        let pipeline = try Probes.pipeline(
            "pipeline: test\nsource: { memory: {} }\nstages:\n  - take:\n    on_failure: halt\n  - flaky\n",
            entries: entries, batchSize: 6, log: log)
        let halt = await #expect(throws: PipelineHalt.self) { try await pipeline.run() }
        #expect(halt?.description == "halted by the stage \"take\" at entry 4-0: take: bad field")
        #expect(log.lines.map(\.message) == ["process 1-0", "process 2-0", "process 3-0"])
    }

    @Test("A shutdown ends a wait between attempts, with the cursor before the batch", arguments: [true, false])
    func shutdown(gracefully: Bool) async throws {
        let records = EventResults()
        let log = RecordingLog()
        let pipeline = try self.pipeline(
            """
              - flaky: { on: 7-0, times: 9 }
                on_failure: { retry: { backoff: 60s, max_backoff: 60s } }
            """, records: records, log: log)
        let group = ServiceGroup(
            configuration: .init(
                services: [.init(service: pipeline, successTerminationBehavior: .gracefullyShutdownGroup)],
                logger: RecordingLog().logger(label: "group")))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { if gracefully { try await group.run() } else { try await pipeline.run() } }
            while !log.lines.contains(where: { $0.message == "stage failed: retrying" }) {
                try await Task.sleep(for: .milliseconds(1))
            }
            if gracefully { await group.triggerGracefulShutdown() } else { tasks.cancelAll() }
            try await tasks.waitForAll()
        }
        #expect(pipeline.source.status.cursor == EntryID(milliseconds: 4, sequence: 0))
        #expect(records.all.map(\.id.milliseconds) == [1, 2, 3, 4])
    }

    @Test("An event in a branch can fail as on the main path, and a failed event continues there")
    func failingInBranches() async throws {
        let records = EventResults()
        let entries = [MemorySource.Entry(1, ["key": "x"]), MemorySource.Entry(2, ["bad": "x"])]
        let text = """
            pipeline: test
            source: { memory: {} }
            stages:
              - take: { fields: [key] }
                on_failure: both
              - split: { keys: [x], to: both }
            branches:
              both:
                - probe: { fail_on: 1-0, effect: first }
                - flaky: { on: 2-0, times: 1 }
                - probe: { effect: last }
            """
        try await Probes.pipeline(text, entries: entries, records: records).run()
        #expect(records.all.map(\.record.effects) == [[], ["first", "last"]])
        #expect(records.all.map(\.record.outcome) == [.dropped, .dropped])
        #expect(records.all.map(\.record.stage) == ["both/probe", "take"])
    }

    @Test("An event is finished at the end of its branch")
    func routed() async throws {
        let records = EventResults()
        let entries = ["x", "y", "x"].enumerated().map { MemorySource.Entry(UInt64($0 + 1), ["key": $1]) }
        let text = """
            pipeline: test
            source: { memory: {} }
            stages:
              - take: { fields: [key] }
              - split: { keys: [x], to: aside }
              - probe: { effect: main }
            branches:
              aside: [ probe: { effect: aside } ]
            """
        let pipeline = try Probes.pipeline(text, entries: entries, records: records)
        try await pipeline.run()
        #expect(records.all.map(\.record.effects) == [["aside"], ["main"], ["aside"]])
        #expect(records.all.allSatisfy { $0.record.outcome == .applied && $0.record.reason == nil })
        #expect(pipeline.statistics.stages.map(\.name) == ["take", "split", "probe", "aside/probe"])
    }
}
