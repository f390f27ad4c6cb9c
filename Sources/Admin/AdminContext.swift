public import StageKit

/// What the admin server shows: the running pipeline seen from outside.
///
/// The closures are called on the server's own thread at each request, and must not wait.
public struct AdminContext: Sendable {
    /// The stores by their names in the file.
    public var stores: [String: any SnapshotStore]
    /// What is written at `/metrics`.
    public var metrics: MetricsRegistry
    /// Why the worker is not ready, one sentence each; empty where it is.
    public var readiness: @Sendable () -> [String]
    /// Why the worker is not alive, one sentence each; empty where it is.
    public var liveness: @Sendable () -> [String]
    /// Why a store must not answer look-ups now, as it has had no news for too long; nil where it may.
    public var staleness: @Sendable (_ store: String) -> String?
    /// The graph and its counters as one JSON document.
    public var pipeline: @Sendable () -> String

    /// What the dashboard and `sluice top` show, as one line of JSON.
    public var live: @Sendable () -> String = { "{}" }
    /// What is known of a key in a store, as one line of JSON: what is held, and what happened to it.
    public var explain: @Sendable (_ store: String, _ key: [UInt8]) -> String = { _, _ in "{}" }
    /// Where events can be watched.
    public var taps = TapHub()
    /// Called once a second, on the server's thread.
    public var beat: @Sendable () -> Void = {}
    /// The kernel's number of the thread that reads the stream if the stream is far behind, so that it comes before requests
    /// if processors are short; else `nil`.
    public var lateThread: @Sendable () -> Int32? = { nil }
    /// The last revocations, evictions and resets.
    public var revocations = RevocationLog()

    /// Makes a context.
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
