public import StageKit

/// A store on a server, which other programs can read; lookups go over the network.
///
/// It cannot answer the synchronous requests of `SnapshotStore`: `count` is 0, and it finds and lists no snapshots.
/// `removeAll` only records a request, which `finishRemoval` carries out.
public protocol RemoteSnapshotStore: SnapshotStore {
    /// Requests the snapshot under a key. Can be called from any task, concurrently.
    ///
    /// Values are returned as the server stores them; no field is known to be a number.
    ///
    /// - Returns: The snapshot, or `nil` if there is none.
    /// - Throws: An error if the server does not answer in time.
    func lookUp(_ key: [UInt8]) async throws -> Snapshot?

    /// Removes all snapshots if `removeAll` was called. A source calls it before it continues reading.
    ///
    /// - Throws: An error if that is impossible now; the request stays open.
    func finishRemoval() async throws

    /// The time between two calls of `beat` while the pipeline runs, or `nil` for no calls. Read once, at the start.
    var beatInterval: Duration? { get }

    /// Signals to other programs that the store is up to date, if its `freshness` proves it. One call at a time. Errors
    /// are logged; other programs then see the store as stale.
    ///
    /// - Parameter cursor: The id up to which every event has its outcome, or `nil` if it is not known yet.
    func beat(cursor: EntryID?) async

    /// Closes connections. Called once, when no batch is in flight; no changes or lookups are possible afterwards.
    func shutDown() async
}

extension RemoteSnapshotStore {
    /// This store.
    public var remote: (any RemoteSnapshotStore)? { self }

    /// `.own`: the snapshots are on the server.
    public var retention: StoreRetention { .own }

    /// 0: not known.
    public var count: Int { 0 }

    /// `nil`: use `lookUp` instead.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }

    /// `nil`: `beat` is not called.
    public var beatInterval: Duration? { nil }

    /// Does nothing.
    public func beat(cursor: EntryID?) async {}

    /// Does nothing: the snapshots are not known.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
}
