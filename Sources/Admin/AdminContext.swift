public import ComponentKit
public import StageKit

/// The admin server's view of the running pipeline.
///
/// The closures are called on the server's own thread for each request, and must not block.
public struct AdminContext: Sendable {
    /// The stores by their names in the file.
    public var stores: [String: any SnapshotStore]
    /// The metrics served at `/metrics`.
    public var metrics: MetricsRegistry
    /// Returns the reasons why the worker is not ready, one sentence each; empty if it is ready.
    public var readiness: @Sendable () -> [String]
    /// Returns the reasons why the worker is not alive, one sentence each; empty if it is alive.
    public var liveness: @Sendable () -> [String]
    /// Returns the reason why a store must refuse lookups because it is stale, or `nil` if it may answer.
    public var staleness: @Sendable (_ store: String) -> String?
    /// Returns the graph and its counters as one JSON document.
    public var pipeline: @Sendable () -> String

    /// Returns the types of the graph's fields, by name, for the JSON form of snapshots.
    public var fieldTypes: @Sendable () -> [String: FieldType] = { [:] }
    /// Returns the data of the dashboard and `sluice top`, as one line of JSON.
    public var live: @Sendable () -> String = { "{}" }
    /// Returns the snapshot and the history of a key in a store, as one line of JSON.
    public var explain: @Sendable (_ store: String, _ key: [UInt8]) -> String = { _, _ in "{}" }
    /// The hub for event taps.
    public var taps = TapHub()
    /// Called once a second, on the server's thread.
    public var beat: @Sendable () -> Void = {}
    /// Returns the kernel's id of the thread that reads the stream if the stream is far behind, so that it takes
    /// precedence over requests when processors are short; otherwise `nil`.
    public var lateThread: @Sendable () -> Int32? = { nil }
    /// The latest revocations, evictions and resets.
    public var revocations = RevocationLog()

    /// Creates a context.
    public init(
        stores: [String: any SnapshotStore], metrics: MetricsRegistry,
        readiness: @escaping @Sendable () -> [String], liveness: @escaping @Sendable () -> [String],
        staleness: @escaping @Sendable (_ store: String) -> String? = { _ in nil },
        pipeline: @escaping @Sendable () -> String = { "{}" }
    ) {
        self.stores = stores
        self.metrics = metrics
        self.readiness = readiness
        self.liveness = liveness
        self.staleness = staleness
        self.pipeline = pipeline
    }
}
