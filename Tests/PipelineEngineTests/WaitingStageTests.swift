import ComponentKit
import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing

@Suite struct WaitingStageTests {
    /// What a stage of these tests does.
    enum Deed: String, Sendable, CaseIterable {
        case fails, finishes, goesOn, throwsUp
    }

    private struct Broken: Error, Equatable {}

    /// Has all events wait, then does its deed on the one with the id `on`, and logs how many it was given.
    private final class HoldStage: Stage {
        struct Settings: Sendable {
            var deed = Deed.goesOn
            var on = ""
        }

        static let declaration = StageDeclaration(
            name: "hold", summary: "Has events wait.",
            settings: .object(
                SettingsSchema(
                    Settings(),
                    [
                        .optional(
                            "deed", \.deed, .choice(of: Deed.allCases.map { ($0.rawValue, $0) }), "What it does."),
                        .optional("on", \.on, .text, "To which event."),
                    ])),
            example: "hold: {}", failureReason: "hold_failure", waits: true)

        private let settings: Settings
        private let reason: ReasonID
        private let effect: EffectID
        private let log: (String) -> Void

        init(_ settings: Settings, _ setup: StageSetup) {
            self.settings = settings
            self.reason = setup.reason("held")
            self.effect = setup.effect("hold")
            let logger = setup.logger
            self.log = { logger.info("\($0)") }
        }

        func process(_ event: inout Event) -> Verdict { .wait }

        func complete(_ events: WaitingEvents) async throws {
            self.log("given \(events.count)")
            await Task.yield()
            for position in 0..<events.count {
                let isMeant = events.withEvent(at: position) { event in
                    event.record(self.effect)
                    return event.id.description == self.settings.on
                }
                guard isMeant else { continue }
                switch self.settings.deed {
                case .goesOn: break
                case .fails: events.fail(at: position, StageFailure("hold: cannot"))
                case .finishes: events.finish(at: position, .skipped, self.reason)
                case .throwsUp: throw Broken()
                }
            }
        }
    }

    /// Says `.wait` though its declaration does not.
    private final class SneakStage: Stage {
        static let declaration = StageDeclaration(
            name: "sneak", summary: "Waits unannounced.", settings: .object(SettingsSchema(true, [])),
            example: "sneak: {}", failureReason: "sneak_failure")

        init(_ settings: Bool, _ setup: StageSetup) {}

        func process(_ event: inout Event) -> Verdict { .wait }
    }

    private func pipeline(
        _ stages: String, batchSize: Int = 4, records: EventResults, log: RecordingLog = RecordingLog()
    ) throws -> Pipeline {
        var catalogue = Probes.catalogue(
            entries: (1...10).map { MemorySource.Entry(UInt64($0), ["a": "\($0)"]) }, batchSize: batchSize)
        catalogue.add(HoldStage.self)
        catalogue.add(SneakStage.self)
        var services = PipelineServices(logger: log.logger(label: "test"))
        services.makeObserver = { EventResultsObserver(records) }
        return try Pipeline(
            text: Array("pipeline: test\nsource: { memory: {} }\nstages:\n\(stages)".utf8), file: "p.yaml",
            catalogue: catalogue, services: services)
    }

    @Test("A batch's waiting events are passed in one call, and without any there is no call")
    func batches() async throws {
        let log = RecordingLog()
        let records = EventResults()
        let stages = "  - take: { fields: [a] }\n  - hold: {}\n    when: { a: [\"1\", \"2\", \"9\"] }\n"
        try await self.pipeline(stages, records: records, log: log).run()
        #expect(log.lines.map(\.message) == ["given 2", "given 1"])
        #expect(records.all.map(\.id.milliseconds) == Array(1...10))
        #expect(records.all.map(\.record.effects.count) == [1, 1, 0, 0, 0, 0, 0, 0, 1, 0])
    }

    @Test("A waiting event can fail or be finished; all others continue", arguments: [Deed.fails, .finishes])
    func decisions(deed: Deed) async throws {
        let records = EventResults()
        let pipeline = try self.pipeline(
            "  - hold: { deed: \(deed), on: 6-0 }\n  - probe\n", records: records)
        try await pipeline.run()
        let meant = try #require(records.all.first { $0.id.milliseconds == 6 }?.record)
        let others = records.all.filter { $0.id.milliseconds != 6 }.map(\.record)
        #expect(others.count == 9)
        #expect(others.allSatisfy { $0.outcome == .applied && $0.effects == ["hold", "probe"] })
        #expect(meant.effects == ["hold"])
        #expect(meant.outcome == (deed == .fails ? .dropped : .skipped))
        #expect(meant.reason == (deed == .fails ? "hold_failure" : "held"))
        #expect(meant.stage == (deed == .fails ? "hold" : nil))
        let counts = try #require(pipeline.statistics.stages.first)
        #expect(counts.passed == 9)
        #expect(counts.failed + counts.finished == 1)
    }

    @Test("An error from complete ends the run before the batch, and nothing of the batch is counted")
    func throwing() async throws {
        let records = EventResults()
        let pipeline = try self.pipeline("  - probe\n  - hold: { deed: throwsUp, on: 6-0 }\n", records: records)
        await #expect(throws: Broken()) { try await pipeline.run() }
        #expect(pipeline.source.status.cursor == EntryID(milliseconds: 4, sequence: 0))
        #expect(records.all.map(\.id.milliseconds) == [1, 2, 3, 4])
        #expect(pipeline.statistics.read == 4)
        #expect(pipeline.statistics.total(.applied) == 4)
    }

    @Test("An event cannot wait at a stage that does not declare it", arguments: ["", "  - hold\n"])
    func undeclared(more: String) async throws {
        let records = EventResults()
        try await self.pipeline("  - sneak\n" + more, records: records).run()
        #expect(records.all.count == 10)
        for (_, record) in records.all {
            #expect(record.outcome == .dropped)
            #expect(record.stage == "sneak")
            #expect(
                record.error == "sneak: an event waits, but the stage's declaration does not say waits: true")
        }
    }

    @Test("The harness completes waiting events")
    func harness() async throws {
        let harness = try StageHarness(HoldStage.self, ["deed": "fails", "on": "2-0"])
        let waiting = harness.process([SampleEntry([:]), SampleEntry([:])])
        #expect(waiting.map(\.ending) == [.waiting, .waiting])
        let reports = try await harness.complete(waiting)
        #expect(reports[0].ending == .next)
        #expect(reports[1].failure?.reason == "hold_failure")
        #expect(reports.map(\.effects) == [["hold"], ["hold"]])
        let fed = try await harness.feed(SampleEntry([:]))
        #expect(fed.map(\.ending) == [.next])
    }
}
