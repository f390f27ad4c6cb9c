import PipelineEngine
import StageKit
import StageTestKit
import Testing

@Suite struct RunnerTests {
    private static func entries(_ count: Int, bad: Set<Int> = []) -> [MemorySource.Entry] {
        (1...count).map { MemorySource.Entry(UInt64($0), [bad.contains($0) ? "bad" : "a": "\($0)"]) }
    }

    private static let head = "pipeline: test\nsource: { memory: {} }\nstages:\n"

    @Test(
        "Every event ends in exactly one outcome, in stream order, whatever the batch size",
        arguments: [1, 2, 31, 32, 33, 500])
    func conservation(batchSize: Int) async throws {
        let records = EventResults()
        let stages = """
              - take: { fields: [a] }
              - probe: { fail_on: 40-0 }
              - probe: { effect: last, finish_on: 50-0 }
            """
        let pipeline = try Probes.pipeline(
            Self.head + stages, entries: Self.entries(200, bad: [3, 64, 200]), batchSize: batchSize, records: records)
        try await pipeline.run()
        #expect(records.all.map(\.id.milliseconds) == Array(1...200))
        let statistics = pipeline.statistics
        #expect(statistics.read == 200)
        #expect(
            statistics.outcomes == [
                .init(outcome: .applied, reason: "", count: 195),
                .init(outcome: .skipped, reason: "enough", count: 1),
                .init(outcome: .dropped, reason: "bad_event", count: 3),
                .init(outcome: .dropped, reason: "probe_failure", count: 1),
            ])
    }

    @Test("A failure is terminal unless the file names a branch")
    func terminalFailure() async throws {
        let records = EventResults()
        let pipeline = try Probes.pipeline(
            Self.head + "  - take\n  - probe\n", entries: Self.entries(2, bad: [1]), records: records)
        try await pipeline.run()
        #expect(
            records.all.map(\.record) == [
                EventResult(
                    outcome: .dropped, reason: "bad_event", stage: "take", error: "take: bad field", effects: [],
                    keyField: nil),
                EventResult(
                    outcome: .applied, reason: nil, stage: nil, error: nil, effects: ["probe"], keyField: nil),
            ])
    }

    @Test(
        "An entry of which a part could not be read is handled like a failure of the first stage, if that is pure",
        arguments: [
            ("  - take: { fields: [a] }\n    on_failure: keep\n  - probe: { effect: not_reached }\n", "", ["kept"]),
            ("  - take: { fields: [a] }\n  - probe: { field: a }\n    on_failure: keep\n", "", []),
            ("  - probe: { effect: not_reached }\n    on_failure: keep\n", "", []),
            ("  - take: { fields: [a] }\n    on_failure: keep\n", "on_failure: drop", []),
            ("  - take: { fields: [a] }\n    on_failure: keep\n", "on_failure: other", ["other"]),
        ])
    func partialEntry(stages: String, source: String, effects: [String]) async throws {
        let text = """
            pipeline: test
            source:
              memory: {}
              \(source)
            stages:
            \(stages)branches:
              keep:
                - probe: { effect: kept }
            \(source.hasSuffix("other") ? "  other:\n    - probe: { effect: other }" : "")
            """
        var entries = Self.entries(3)
        entries[1].refusal = StageFailure("left out", reason: "value_too_large")
        entries.append(MemorySource.Entry(4, [:]))
        entries[3].refusal = StageFailure("left out", reason: "value_too_large")
        let records = EventResults()
        try await Probes.pipeline(text, entries: entries, records: records).run()
        #expect(records.all.map(\.id.milliseconds) == [1, 2, 3, 4])
        #expect(records.all[1].record.reason == "value_too_large" && records.all[1].record.effects == effects)
        // Of the last entry nothing could be read.
        #expect(records.all[3].record.reason == "value_too_large")
        #expect(records.all[3].record.effects == (source.hasSuffix("other") ? effects : []))
    }

    @Test("A branch continues after a failing stage, and the first failure counts")
    func failingBranch() async throws {
        let records = EventResults()
        let stages = """
              - take
              - probe
            branches:
              rescue:
                - probe: { fail_on: 1-0 }
                - probe: { effect: rescued }
            """
        let pipeline = try Probes.pipeline(
            Self.head + stages, entries: Self.entries(1, bad: [1]),
            overrides: ["stages.0={ take: , on_failure: rescue }"],
            records: records)
        try await pipeline.run()
        let record = try #require(records.all.first?.record)
        #expect(record.effects == ["rescued"])
        #expect(record.reason == "bad_event")
        #expect(record.stage == "take")
        #expect(pipeline.statistics.stages.map(\.name) == ["take", "probe", "rescue/probe", "rescue/probe-2"])
        #expect(pipeline.statistics.stages.map(\.failed) == [1, 0, 1, 0])
    }

    @Test("Any other error than StageFailure fails the event with the stage's own reason")
    func foreignError() async throws {
        let records = EventResults()
        let pipeline = try Probes.pipeline(
            Self.head + "  - probe: { fail_on: 2-0 }\n", entries: Self.entries(3), records: records)
        try await pipeline.run()
        #expect(records.all.map(\.record.outcome) == [.applied, .dropped, .applied])
        #expect(records.all[1].record.error == "probe: Odd()")
        #expect(records.all[1].record.reason == "probe_failure")
    }

    @Test("A stage does not see events that do not meet its condition")
    func condition() async throws {
        let records = EventResults()
        let pipeline = try Probes.pipeline(
            Self.head + "  - take: { fields: [a] }\n  - probe: {}\n    when: { a: [\"2\", \"4\"] }\n",
            entries: Self.entries(5), records: records)
        try await pipeline.run()
        #expect(records.all.map(\.record.effects) == [[], ["probe"], [], ["probe"], []])
        #expect(pipeline.statistics.stages[1].skipped == 3)
        #expect(pipeline.statistics.stages[1].passed == 2)
    }

    @Test("A graph of only pure stages works, even if one fails into a branch")
    func pureOnly() async throws {
        let records = EventResults()
        let pipeline = try Probes.pipeline(
            Self.head + "  - take:\n    on_failure: b\nbranches:\n  b: [ probe ]\n",
            entries: Self.entries(70, bad: [2, 33, 70]), batchSize: 70, records: records)
        try await pipeline.run()
        #expect(records.all.filter { $0.record.effects == ["probe"] }.map(\.id.milliseconds) == [2, 33, 70])
        #expect(records.all.count == 70)
    }

    @Test("Two pipelines of one file do not share anything")
    func independence() async throws {
        let text = Self.head + "  - probe\n"
        let first = try Probes.pipeline(text, entries: Self.entries(3))
        let second = try Probes.pipeline(text, entries: Self.entries(5))
        async let one: Void = first.run()
        async let two: Void = second.run()
        _ = try await (one, two)
        #expect(first.statistics.read == 3)
        #expect(second.statistics.read == 5)
    }
}
