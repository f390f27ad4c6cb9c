/// Is notified of changes of a store's snapshots, so that copies of them elsewhere can be dropped.
///
/// Called on the thread that makes the change, after the change is visible to lookups. Must not block.
public protocol SnapshotObserver: Sendable {
    /// The snapshot under a key was stored or removed.
    func snapshotChanged(_ key: Span<UInt8>)

    /// Any number of snapshots may have changed: the store is being filled, or was emptied completely or in part.
    func snapshotsReset()
}
