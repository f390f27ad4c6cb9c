public import StageKit

/// The environment of a stage in a test: everything is in memory, and everything is recorded.
public struct StageFixture: Sendable {
    /// The pipeline's name.
    public var pipeline: String
    /// The fields that earlier stages provide. The harness sets them to the entry's values of the same name.
    public var fields: [String]
    /// The types of the fields among them that are not plain text; a value of another form stays text.
    public var types: [String: FieldType] = [:]
    /// The fields among them whose values must not be shown.
    public var secrets: Set<String> = []
    /// The declared stores.
    public var stores: [RecordingStore]
    /// The branches of the file, by name.
    public var branches: [String] = []
    /// The revocation handler, or `nil` for a pipeline without one.
    public var revocations: RecordingRevocationHandler?
    /// The publisher, or `nil` for a pipeline without a server.
    public var publisher: RecordingPublisher?
    /// The Redis hashes, or `nil` for a pipeline without a server.
    public var hashes: RecordingHashReader? = RecordingHashReader()
    /// The clock, which always shows 2023-11-14 22:13:20 UTC unless a test sets another.
    public var clock = WallClock { 1_700_000_000_000 }
    /// The reporter for the stage's steps.
    public let progress = ProgressReporter()
    /// Records metrics.
    public let metrics = RecordingMetrics()
    /// Records log lines.
    public let log = RecordingLog()

    /// Creates a fixture.
    public init(
        pipeline: String = "test", fields: [String] = [], stores: [RecordingStore] = [],
        revocations: RecordingRevocationHandler? = RecordingRevocationHandler(),
        publisher: RecordingPublisher? = RecordingPublisher()
    ) {
        self.pipeline = pipeline
        self.fields = fields
        self.stores = stores
        self.revocations = revocations
        self.publisher = publisher
    }

    /// Returns the same environment with nothing recorded yet; stores keep their content.
    func copy() -> StageFixture {
        var copy = StageFixture(
            pipeline: self.pipeline, fields: self.fields, stores: self.stores.map { $0.copy() },
            revocations: self.revocations.map { _ in RecordingRevocationHandler() },
            publisher: self.publisher.map { _ in RecordingPublisher() })
        copy.hashes = self.hashes?.copy()
        copy.types = self.types
        copy.secrets = self.secrets
        copy.branches = self.branches
        copy.clock = self.clock
        return copy
    }

    /// All external effects of a stage, as lines. They are equal before and after a call that did nothing.
    public var traces: [String] {
        var lines = self.stores.flatMap { store in store.changes.map { "\(store.name): \($0)" } }
        lines += self.revocations?.calls.map { "revoke: \($0)" } ?? []
        // Only counted: a message can be long, and sent messages are never removed.
        if let count = self.publisher?.messages.count, count > 0 { lines.append("published: \(count)") }
        lines += self.metrics.counters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        lines += self.log.lines.map { "log: \($0.message)" }
        return lines
    }

    /// Creates a setup for a stage of this name in a graph with the given names.
    func makeSetup(stage: String, names: GraphNames, exits: StageExits) -> StageSetup {
        for field in self.fields { _ = names.provide(field) }
        for field in self.secrets { names.keepSecret(field) }
        var scope = FieldScope(fields: self.fields)
        for (field, type) in self.types { scope.provide(field, type) }
        let branches = self.branches.enumerated().map { ($1, BranchID(index: UInt16($0))) }
        return StageSetup(
            pipeline: self.pipeline, stage: stage, position: SettingPosition(line: 1, column: 1),
            logger: self.log.logger(label: "\(self.pipeline).\(stage)"), metrics: self.metrics,
            revocationHandler: self.revocations, publisher: self.publisher, names: names,
            scope: scope,
            stores: Dictionary(uniqueKeysWithValues: self.stores.map { ($0.name, $0) }),
            branches: Dictionary(uniqueKeysWithValues: branches), exits: exits,
            clock: self.clock, progress: self.progress, hashReader: self.hashes)
    }
}
