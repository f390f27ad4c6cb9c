public import StageKit

/// A store on a server, which other programs can read; lookups go over the network.
///
/// It cannot answer the synchronous requests of `SnapshotStore`: `count` is 0, and it finds and lists no snapshots.
/// `removeAll` only records a request, which `finishRemoval` carries out.
public protocol RemoteSnapshotStore: PublishedSnapshotStore, AwaitedStore {}

extension RemoteSnapshotStore {
    /// This store.
    public var remote: (any RemoteSnapshotStore)? { self }

    /// `.own`: the snapshots are on the server.
    public var retention: StoreRetention { .own }

    /// 0: not known.
    public var count: Int { 0 }

    /// `nil`: use `lookUp` instead.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }

    /// Does nothing: the snapshots are not known.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
}
