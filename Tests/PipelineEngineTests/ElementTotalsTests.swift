import ComponentKit
import Logging
import StageKit
import StageTestKit
import Testing

@testable import PipelineEngine

/// Elements of entries that are added up by a stage with a state, which adds events of its own.
@Suite struct ElementTotalsTests {
    /// Entries 1 to 40 with 0 to 3 elements each.
    private static let entries = (1...40).map { MemorySource.Entry(UInt64($0), ["n": "\($0 % 4)"]) }

    /// The events with totals, as `id total`, and the ids of all events in the order in which they are settled.
    private static let expected: (totals: [String], order: [String]) = {
        var (total, count, totals, order) = (0, 0, [String](), [String]())
        for id in 1...40 {
            for element in 0..<(id % 4) {
                total += element
                count += 1
                if count % 3 == 0 {
                    for copy in 0..<2 {
                        order.append("\(id * 100 + element * 10 + copy)-1")
                        totals.append("\(order[order.count - 1]) \(total)")
                    }
                }
                order.append("\(id)-0#\(element)")
            }
            order.append("\(id)-0")
        }
        return (totals, order)
    }()

    private func pipeline(
        _ stages: String, _ source: ResumedSource, _ checkpoint: KeptCheckpoint? = KeptCheckpoint(),
        records: ElementResults = ElementResults(), log: RecordingLog = RecordingLog()
    ) throws(ConfigurationError) -> Pipeline {
        var catalogue = Probes.catalogue()
        for type in [StageType(TotalsStage.self), StageType(NoteStage.self), StageType(FanStage.self)] {
            catalogue.add(type)
        }
        for type in [StageType(JudgeStage.self), StageType(KeepStage.self), StageType(WrappedTotalsStage.self)] {
            catalogue.add(type)
        }
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(SourceType(name: "resumed", summary: "Entries.", settings: nothing) { _, _ in source })
        if let checkpoint { catalogue.makeCheckpoint = { _ in checkpoint } }
        var services = PipelineServices(logger: log.logger(label: "test"))
        services.makeObserver = { ElementResults.Observer(records) }
        let text = "pipeline: test\nsource: { resumed: {} }\nstores: { s: { recording: {} } }\nstages:\n\(stages)"
        return try Pipeline(text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services)
    }

    private static let totals = "  - fan\n  - totals: { field: k, copies: 2 }\n"

    /// The notes of the last stage: `id total`.
    private static func notes(_ log: RecordingLog) -> [String] {
        log.lines.map(\.message).filter { $0.contains("-1 ") }
    }

    @Test(
        "Totals of elements come before the element that completed them, and entries after their elements",
        arguments: [1, 2, 7, 32, 64], ["", "  - judge: { waits: true }\n", "  - waiting_flaky\n"])
    func order(batchSize: Int, next: String) async throws {
        let (records, log) = (ElementResults(), RecordingLog())
        let source = ResumedSource(Self.entries, batchSize: batchSize, checkpoint: nil)
        let stages = Self.totals + next + "  - note: { field: total }\n"
        let pipeline = try self.pipeline(stages, source, records: records, log: log)
        try await pipeline.run()
        #expect(Self.notes(log) == Self.expected.totals)
        #expect(records.all.map { "\($0.id)" } == Self.expected.order)
        let statistics = pipeline.statistics
        #expect(statistics.read == 40)
        // Elements have no counted outcome of their own.
        let counted = UInt64(40 + Self.expected.totals.count)
        #expect(statistics.outcomes.reduce(0) { $0 + $1.count } == counted)
        #expect(statistics.total(.skipped) == 10)
        #expect(statistics.stages.reduce(0) { $0 + $1.emitted } == UInt64(Self.expected.totals.count))
    }

    @Test("A total that fails has no part in the outcome of an entry, and an element that fails has")
    func outcomes() async throws {
        let records = ElementResults()
        // The second element of entry 2 completes a total, which fails; the second one of entry 3 fails itself.
        let stages = """
              - fan
              - judge: { on: "3-0#1", times: 1 }
              - totals: { field: k, copies: 1 }
              - probe: { fail_on: 210-1 }

            """
        let source = ResumedSource(Array(Self.entries.prefix(3)), batchSize: 3, checkpoint: nil)
        try await self.pipeline(stages, source, records: records).run()
        #expect(
            records.text == [
                "1-0#0 applied", "1-0 applied", "2-0#0 applied", "210-1 dropped", "2-0#1 applied", "2-0 applied",
                "3-0#0 applied", "3-0#1 dropped", "3-0#2 applied", "3-0 dropped",
            ])
        #expect(records.all.last?.record.error == "judge: not yet")
    }

    @Test(
        "A restart neither loses nor repeats an element, also if the saved position is behind the state",
        arguments: [1, 2, 5, 7], [0, 1, 6])
    func restarts(batchSize: Int, lag: Int) async throws {
        let (checkpoint, log) = (KeptCheckpoint(), RecordingLog())
        for _ in 0..<30 {
            let source = ResumedSource(
                Self.entries, batchSize: batchSize + lag, batches: 2, lag: lag, checkpoint: checkpoint)
            try await self.pipeline(Self.totals + "  - note: { field: total }\n", source, checkpoint, log: log).run()
        }
        #expect(Self.notes(log) == Self.expected.totals)
    }

    @Test(
        "A run that ends in the middle of an entry saves no part of it, and the next run counts each element once",
        arguments: [
            "  - fan\n  - judge: { on: \"7-0#1\", times: 1 }\n    on_failure: halt\n  - totals: { field: k, copies: 2 }\n",
            totals + "  - probe: { fail_on: 720-1 }\n    on_failure: halt\n",
        ])
    func halfFinished(stages: String) async throws {
        let (checkpoint, log) = (KeptCheckpoint(), RecordingLog())
        let note = "  - note: { field: total }\n"
        let begin = ResumedSource(Self.entries, batchSize: 2, batches: 2, checkpoint: checkpoint)
        try await self.pipeline(Self.totals + note, begin, checkpoint, log: log).run()
        let saves = checkpoint.saves
        // Entry 7 is in the middle of the batch.
        let halted = ResumedSource(Self.entries, batchSize: 12, checkpoint: checkpoint)
        await #expect(throws: PipelineHalt.self) { try await self.pipeline(stages + note, halted, checkpoint).run() }
        #expect(checkpoint.saves == saves)
        let rest = ResumedSource(Self.entries, batchSize: 5, checkpoint: checkpoint)
        try await self.pipeline(Self.totals + note, rest, checkpoint, log: log).run()
        #expect(Self.notes(log) == Self.expected.totals)
    }

    @Test("Events that a stage adds can be expanded by a later one")
    func expandedTotals() async throws {
        let records = ElementResults()
        let stages = "  - take: { fields: [n] }\n  - totals: { field: n, copies: 1 }\n  - fan_out\n"
        var catalogue = Probes.catalogue()
        catalogue.add(TotalsStage.self)
        catalogue.add(FanOutStage.self)
        let source = ResumedSource(Array(Self.entries.prefix(4)), batchSize: 4, checkpoint: nil)
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(SourceType(name: "resumed", summary: "Entries.", settings: nothing) { _, _ in source })
        var services = PipelineServices(logger: RecordingLog().logger(label: "test"))
        services.makeObserver = { ElementResults.Observer(records) }
        let text = "pipeline: test\nsource: { resumed: {} }\nstages:\n\(stages)"
        let pipeline = try Pipeline(
            text: Array(text.utf8), file: "p.yaml", catalogue: catalogue, services: services)
        try await pipeline.run()
        #expect(
            records.all.map { "\($0.id)" } == ["1-0", "2-0", "300-1#0", "300-1#1", "300-1", "3-0", "4-0"])
        #expect(pipeline.statistics.outcomes.reduce(0) { $0 + $1.count } == 5)
    }

    @Test(
        "A store behind the totals is accepted if no element reaches it",
        arguments: [
            ("  - fan\n  - totals: { field: k }\n  - keep\n", nil),
            ("  - fan\n  - totals: { field: k }\n    when: { k: \"1\" }\n  - keep\n", "8:5"),
            (
                "  - fan\n  - totals: { field: k }\n    on_failure: rest\n  - keep\nbranches: { rest: [keep] }\n",
                "9:20"
            ),
            ("  - fan\n  - keep\n  - totals: { field: k }\n", "6:5"),
        ] as [(String, String?)])
    func stores(stages: String, position: String?) {
        let source = ResumedSource(Self.entries, batchSize: 1, checkpoint: nil)
        do throws(ConfigurationError) {
            _ = try self.pipeline(stages, source)
            #expect(position == nil)
        } catch {
            let lines = error.lines
            #expect(
                lines.count == 1
                    && position.map { lines[0].hasPrefix("p.yaml:\($0): keep: behind \"fan\"") } == true, "\(lines)")
        }
    }

    @Test("A stage that wraps another one declares what that one can do")
    func wrapped() async throws {
        let (checkpoint, log) = (KeptCheckpoint(), RecordingLog())
        let stages = "  - fan\n  - wrapped_totals: { field: k, copies: 2 }\n  - note: { field: total }\n"
        for _ in 0..<30 {
            let source = ResumedSource(Self.entries, batchSize: 3, batches: 2, checkpoint: checkpoint)
            try await self.pipeline(stages, source, checkpoint, log: log).run()
        }
        #expect(Self.notes(log) == Self.expected.totals)
    }
}

/// Passes events to another stage; it conforms to none of the protocols whose capabilities it declares.
final class WrappedTotalsStage: Stage {
    static let declaration = StageDeclaration(
        name: "wrapped_totals", summary: "Adds events with totals.", settings: TotalsStage.declaration.settings,
        example: "wrapped_totals: { field: a }", failureReason: "totals_failure", remembers: true)

    private let inner: TotalsStage

    init(_ settings: TotalsStage.Settings, _ setup: StageSetup) {
        self.inner = TotalsStage(settings, setup)
    }

    var emitting: (any EmittingStage)? { self.inner }
    var stateful: (any StatefulStage)? { self.inner }

    func process(_ event: inout Event) throws -> Verdict { try self.inner.process(&event) }
}

/// Expands each event into two.
final class FanOutStage: Stage {
    static let declaration = StageDeclaration(
        name: "fan_out", summary: "Expands events.", settings: SettingType<Bool>.object(SettingsSchema(true, [])),
        example: "fan_out: {}", failureReason: "fan_failure", expands: true)

    init(_ settings: Bool, _ setup: StageSetup) {}

    func process(_ event: inout Event) throws -> Verdict { .wait }

    func complete(_ events: WaitingEvents) async throws {
        for position in 0..<events.count { events.expand(at: position, into: 2) { _, _ in } }
    }
}
