import ComponentKit
import Logging
import StageKit
import StageTestKit
import Testing

@testable import PipelineEngine

/// Keeps the last checkpoint in memory.
final class KeptCheckpoint: CheckpointKeeper {
    private struct State {
        var bookmark: String?
        var stages: [SavedStage] = []
        var loaded: [SavedStage] = []
        var saves = 0
    }

    let interval = Duration.seconds(3600)
    private let state = OrderedMutex(State())

    var saves: Int { self.state.withLock(\.saves) }

    func load() throws -> String? {
        self.state.withLock { state in
            state.loaded = state.stages
            return state.bookmark
        }
    }

    func takeStages() -> [SavedStage] {
        self.state.withLock { state in
            let loaded = state.loaded
            state.loaded = []
            return loaded
        }
    }

    func discard() {}

    func adopt(definition: String) {}

    func save(_ bookmark: () -> SourceBookmark?, stages: () async -> [SavedStage]?) async {
        guard let bookmark = bookmark(), let stages = await stages() else { return }
        self.state.withLock { state in
            state.bookmark = bookmark.text
            state.stages = stages
            state.saves += 1
        }
    }
}

/// Delivers entries from the position in a checkpoint on, some batches in a run. Its own position is behind by `lag`
/// entries, as that of a checkpoint whose states were saved later.
final class ResumedSource: EventSource {
    let stream = "resumed"
    let stateObstacle: String?
    let startsAtCheckpoint: Bool
    let status = SourceStatus()
    private let entries: [MemorySource.Entry]
    private let batchSize: Int
    private let batches: Int
    private let lag: Int
    private let checkpoint: (any CheckpointKeeper)?
    private let hasTimes: Bool
    private let next = OrderedMutex<Int?>(nil)
    private let isTimed = OrderedMutex(false)

    init(
        _ entries: [MemorySource.Entry], batchSize: Int, batches: Int = .max, lag: Int = 0,
        checkpoint: (any CheckpointKeeper)?, stateObstacle: String? = nil, hasTimes: Bool = false,
        startsAtCheckpoint: Bool = true
    ) {
        self.entries = entries
        self.batchSize = batchSize
        self.batches = batches
        self.lag = lag
        self.checkpoint = checkpoint
        self.stateObstacle = stateObstacle
        self.startsAtCheckpoint = startsAtCheckpoint
        self.hasTimes = hasTimes
    }

    var bookmark: SourceBookmark? {
        self.next.withLock(\.self).map {
            SourceBookmark(epoch: 0, cursor: .zero, text: "\(max(0, $0 - self.lag))")
        }
    }

    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        var next = try self.checkpoint?.load().flatMap { Int($0) } ?? 0
        self.next.withLock { $0 = next }
        var delivered = 0
        while delivered < self.batches, next < self.entries.count {
            delivered += 1
            let batch = EventBatch()
            for entry in self.entries[next...].prefix(self.batchSize) {
                batch.append(id: entry.id, fields: entry.fields)
            }
            let last = batch.lastID
            try await deliver(batch)
            #expect(batch.lastID == last, "added events are not part of the source's batch")
            next += batch.count
            self.next.withLock { $0 = next }
        }
        guard self.isTimed.withLock(\.self) else { return }
        let silence = EventBatch()
        silence.deliveredUpTo = 9000
        try await deliver(silence)
        #expect(silence.isEmpty)
    }

    func deliverTimes() {
        self.isTimed.withLock { $0 = self.hasTimes }
    }

    func stop() {}
}

@Suite struct EmissionTests {
    private static let entries = (1...40).map { MemorySource.Entry(UInt64($0), ["a": "\($0)"]) }

    private static func catalogue(_ checkpoint: KeptCheckpoint?, _ source: ResumedSource) -> Catalogue {
        var catalogue = Probes.catalogue()
        catalogue.add(TotalsStage.self)
        catalogue.add(NoteStage.self)
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(SourceType(name: "resumed", summary: "Entries.", settings: nothing) { _, _ in source })
        if let checkpoint { catalogue.makeCheckpoint = { _ in checkpoint } }
        return catalogue
    }

    private static func pipeline(
        _ stages: String, _ source: ResumedSource, _ checkpoint: KeptCheckpoint? = KeptCheckpoint(),
        records: EventResults = EventResults(), log: RecordingLog = RecordingLog()
    ) throws(ConfigurationError) -> Pipeline {
        var services = PipelineServices(logger: log.logger(label: "test"))
        services.makeObserver = { EventResultsObserver(records) }
        let text = "pipeline: test\nsource: { resumed: {} }\n\(stages)"
        return try Pipeline(
            text: Array(text.utf8), file: "p.yaml", catalogue: self.catalogue(checkpoint, source), services: services)
    }

    private static func stages(_ last: String) -> String {
        "stages:\n  - take: { fields: [a] }\n  - totals: { field: a, copies: 2 }\n\(last)"
    }

    /// The notes of the last stage: `id total`.
    private static func notes(_ log: RecordingLog) -> [String] {
        log.lines.map(\.message).filter { $0.contains("-1 ") }
    }

    @Test(
        "Added events come before the event during which they were added, whatever the batch size and the next stages",
        arguments: [1, 2, 3, 31, 32, 33, 64],
        [
            "", "  - waiting_flaky\n", "  - waiting_flaky: { on: 600-1, times: 2 }\n    on_failure: retry\n",
            "  - flaky: { on: 601-1, times: 2 }\n    on_failure: retry\n  - waiting_flaky\n",
        ])
    func order(batchSize: Int, next: String) async throws {
        let (records, log) = (EventResults(), RecordingLog())
        let source = ResumedSource(Self.entries, batchSize: batchSize, checkpoint: nil)
        let retry = next.replacing("retry\n", with: "{ retry: { attempts: 5, backoff: 1us } }\n")
        let pipeline = try Self.pipeline(
            Self.stages("\(retry)  - note: { field: total }\n"), source, records: records, log: log)
        try await pipeline.run()
        let expected = (1...40).flatMap { (id: UInt64) -> [UInt64] in
            id % 3 == 0 ? [id * 100, id * 100 + 1, id] : [id]
        }
        #expect(records.all.map(\.id.milliseconds) == expected)
        #expect(
            records.all.allSatisfy { id, record in
                record.outcome == .applied && record.reason == (id.sequence == 0 ? "counted" : nil)
            })
        let totals = stride(from: 3, through: 39, by: 3).flatMap { number in
            (0..<2).map { "\(number * 100 + $0)-1 \(number * (number + 1) / 2)" }
        }
        #expect(Self.notes(log) == totals)
        let statistics = pipeline.statistics
        #expect(statistics.read == 40)
        #expect(statistics.stages.map(\.emitted).reduce(0, +) == 26)
        #expect(statistics.outcomes.reduce(0) { $0 + $1.count } == 66)
        #expect(statistics.stages.last?.passed == 26)
    }

    @Test("An added event that fails goes where the file says, and the entry behind it is not affected")
    func failures() async throws {
        let records = EventResults()
        let stages = Self.stages("  - probe: { fail_on: 600-1 }\n    on_failure: aside\nbranches: { aside: [probe] }\n")
        let source = ResumedSource(Self.entries, batchSize: 7, checkpoint: nil)
        try await Self.pipeline(stages, source, records: records).run()
        let failed = records.all.filter { $0.record.outcome == .dropped }
        #expect(failed.map(\.id.description) == ["600-1"])
        #expect(failed.first?.record.effects == ["probe"])
        #expect(records.all.count == 66)
    }

    @Test(
        "A restart neither loses nor repeats a state, also if the saved position is behind it",
        arguments: [1, 2, 5, 7], [0, 1, 6])
    func restarts(batchSize: Int, lag: Int) async throws {
        let (checkpoint, log) = (KeptCheckpoint(), RecordingLog())
        // Each run processes two batches; those that are read again do not count.
        for _ in 0..<30 {
            let source = ResumedSource(
                Self.entries, batchSize: batchSize + lag, batches: 2, lag: lag, checkpoint: checkpoint)
            try await Self.pipeline(Self.stages("  - note: { field: total }\n"), source, checkpoint, log: log).run()
        }
        let totals = stride(from: 3, through: 39, by: 3).flatMap { number in
            (0..<2).map { "\(number * 100 + $0)-1 \(number * (number + 1) / 2)" }
        }
        #expect(Self.notes(log) == totals)
    }

    @Test("In a silent stream, stages receive the time and may add events", arguments: ["", "  - waiting_flaky\n"])
    func silence(next: String) async throws {
        let (records, log) = (EventResults(), RecordingLog())
        let source = ResumedSource(Self.entries, batchSize: 7, checkpoint: nil, hasTimes: true)
        let pipeline = try Self.pipeline(
            Self.stages("\(next)  - note: { field: total }\n"), source, records: records, log: log)
        try await pipeline.run()
        #expect(Self.notes(log).last == "9000-1 820")
        #expect(records.all.last?.id.description == "9000-1")
        #expect(pipeline.statistics.read == 40)
    }

    @Test("The state of a batch that was given up is not saved")
    func givenUp() async throws {
        let checkpoint = KeptCheckpoint()
        let stages = Self.stages("  - probe: { fail_on: 600-1 }\n    on_failure: halt\n")
        let source = ResumedSource(Self.entries, batchSize: 4, checkpoint: checkpoint)
        await #expect(throws: PipelineHalt.self) { try await Self.pipeline(stages, source, checkpoint).run() }
        #expect(checkpoint.saves == 0)
        let log = RecordingLog()
        let again = ResumedSource(Self.entries, batchSize: 4, checkpoint: checkpoint)
        try await Self.pipeline(Self.stages("  - note: { field: total }\n"), again, checkpoint, log: log).run()
        #expect(Self.notes(log).first == "300-1 6")
    }

    @Test("A state that cannot be restored is discarded with a warning")
    func unusable() async throws {
        let (checkpoint, log) = (KeptCheckpoint(), RecordingLog())
        await checkpoint.save(
            { SourceBookmark(epoch: 0, cursor: .zero, text: "0") },
            stages: { [SavedStage(name: "totals", state: [1]), SavedStage(name: "other", state: [])] })
        let source = ResumedSource(Self.entries, batchSize: 4, checkpoint: checkpoint)
        try await Self.pipeline(Self.stages("  - note: { field: total }\n"), source, checkpoint, log: log).run()
        let discarded = log.lines.filter { $0.message == "stage state discarded" }
        #expect(discarded.map { $0.metadata["stage"] } == ["totals", "other"])
        #expect(Self.notes(log).first == "300-1 6")
    }

    @Test("The state of a stage that the file no longer has is reported")
    func removed() async throws {
        let (checkpoint, log) = (KeptCheckpoint(), RecordingLog())
        await checkpoint.save(
            { SourceBookmark(epoch: 0, cursor: .zero, text: "0") },
            stages: { [SavedStage(name: "totals", state: [1, 2, 3])] })
        _ = try checkpoint.load()
        let source = ResumedSource(Self.entries, batchSize: 4, checkpoint: nil)
        let graph = try Self.graph("stages: [{ take: { fields: [a] } }]\n", Self.pipeline(Self.stages(""), source))
        let states = StageStates(graph, checkpoint: checkpoint, logger: log.logger(label: "test"))
        #expect(await states.saved() == [])
        let discarded = log.lines.filter { $0.message == "stage state discarded" }
        #expect(discarded.map { $0.metadata["stage"] } == ["totals"])
        #expect(discarded.first?.metadata["error"] == "no stage of that name keeps a state: 3 bytes are lost")
    }

    @Test("A reload passes the state on to a stage of the same name")
    func reload() throws {
        let source = ResumedSource(Self.entries, batchSize: 4, checkpoint: nil)
        let pipeline = try Self.pipeline(Self.stages(""), source)
        let (old, next) = (
            try Self.graph(Self.stages(""), pipeline),
            try Self.graph(Self.stages("  - note: { field: total }\n"), pipeline)
        )
        let states = StageStates(old, checkpoint: nil, logger: Self.silent)
        try Self.state(of: old).restore(Array("6 3 3 0".utf8))
        let without = try Self.graph("stages: [{ take: { fields: [a] } }]\n", pipeline)
        #expect(!states.isEmpty)
        states.replace(next)
        #expect(try Self.state(of: next).save() == Array("6 3 3 0".utf8))
        states.replace(without)
        #expect(states.isEmpty)
    }

    private static func state(of graph: StageGraph) throws -> any StageState {
        try #require(graph.nodes[1].stage.stateful).state
    }

    private static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private static func graph(_ stages: String, _ pipeline: Pipeline) throws -> StageGraph {
        let text = "pipeline: test\nsource: { resumed: {} }\n\(stages)"
        let tree = try ConfigurationTree(text: Array(text.utf8), file: "p.yaml", environment: [:], overrides: [])
        var issues = SettingIssues()
        let definition = PipelineDefinition(tree.root, catalogue: pipeline.catalogue, &issues)
        let graph = GraphBuilder(
            definition: definition, catalogue: pipeline.catalogue, stores: pipeline.stores, services: pipeline.services
        ).build(&issues)
        #expect(issues.all == [])
        return graph
    }

    @Test(
        "A file in which a state or an added event cannot be correct is refused with the position",
        arguments: [
            (
                "  - note: { field: a }\n", nil,
                ["p.yaml:6:20: note: no earlier stage provides the field \"a\" (one of total)"]
            ),
            (
                "  - note: { field: total }\n", "with several streams",
                ["p.yaml:5:5: totals: cannot be used with several streams"]
            ),
            (
                "lanes: { count: 2, key: a }\n", nil,
                [
                    "p.yaml:5:5: totals: remembers earlier events, but each lane sees only a part of them: remove "
                        + "lanes, or the stage"
                ]
            ),
        ] as [(String, String?, [String])])
    func refused(next: String, obstacle: String?, lines: [String]) {
        let source = ResumedSource(Self.entries, batchSize: 1, checkpoint: nil, stateObstacle: obstacle)
        let error = #expect(throws: ConfigurationError.self) { try Self.pipeline(Self.stages(next), source) }
        #expect(error?.lines == lines)
    }

    @Test("Without a checkpoint, and without a stage that uses the events, there are warnings")
    func warnings() throws {
        let source = ResumedSource(Self.entries, batchSize: 1, checkpoint: nil)
        let without = try Self.pipeline(Self.stages(""), source, nil)
        #expect(
            without.warnings.filter { $0.context == "totals" }.map(\.message) == [
                "totals: without the section checkpoint, a restart loses its state",
                "totals: no stage follows that would use its events",
            ])
        let with = try Self.pipeline(Self.stages("  - note: { field: total }\n"), source)
        #expect(with.warnings.filter { $0.context == "totals" } == [])
        let tail = ResumedSource(Self.entries, batchSize: 1, checkpoint: nil, startsAtCheckpoint: false)
        let unread = try Self.pipeline(Self.stages("  - note: { field: total }\n"), tail)
        #expect(
            unread.warnings.filter { $0.context == "totals" }.map(\.message) == [
                "totals: the source does not start at the checkpoint (start: resume), so a restart loses its state"
            ])
    }

    @Test("With a condition, events that do not meet it continue with their own fields")
    func condition() async throws {
        let log = RecordingLog()
        let stages = """
            stages:
              - take: { fields: [a] }
              - totals: { field: a, copies: 1 }
                when: { a: ["1", "2", "3"] }
              - note: { field: a }

            """
        let source = ResumedSource(Array(Self.entries.prefix(5)), batchSize: 5, checkpoint: nil)
        try await Self.pipeline(stages, source, log: log).run()
        #expect(log.lines.map(\.message) == ["300-1 none", "4-0 4", "5-0 5"])
    }
}
