public import StageKit

/// A store of snapshots by key: what the engine, sources and lookups need in addition to `StageStore`.
///
/// Lookups can come from any thread at any time. What only some stores can do is declared: `remote`, `published`,
/// `sweeping`, `streamFed`, `conditional`, `expiring`, `checkpointed` and `inPlace` return the store itself if it conforms
/// to that protocol, and `retention` says where its content is kept. Nothing depends on a store's type.
public protocol SnapshotStore: StageStore {
    /// The number of snapshots.
    var count: Int { get }

    /// Returns the id of the entry that removed a key from the store, or `nil` if it is not known or the store holds
    /// the key.
    func evictingEntry(for key: Span<UInt8>) -> EntryID?

    /// Calls `body` with every snapshot, in no particular order.
    ///
    /// Concurrent changes may or may not be visible. No lock is held while `body` runs.
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows

    /// The freshness of the store, or `nil` if the store does not track it. Written by the source that feeds the store,
    /// and checked before the result of a lookup is used.
    ///
    /// There is deliberately no default implementation: a file that does not import the store's module would get the
    /// default instead of the store's own property.
    var freshness: Freshness? { get }

    /// Whether all workers that use the store see the same content, so that each worker can process a part of the
    /// stream.
    var isShared: Bool { get }

    /// Where the content is when the worker starts again. There is no default: a source that resumes behind entries that
    /// a store has lost would leave the store incomplete.
    var retention: StoreRetention { get }

    /// This store if lookups go over the network, otherwise `nil`.
    var remote: (any RemoteSnapshotStore)? { get }

    /// This store if it has to be opened before it is used, or if other programs read it directly, otherwise `nil`.
    var published: (any PublishedSnapshotStore)? { get }

    /// This store if it can remove the snapshots that are older than a given entry, otherwise `nil`.
    var sweeping: (any SweepingStore)? { get }

    /// This store if it needs to know which streams feed it, otherwise `nil`.
    var streamFed: (any StreamFedStore)? { get }

    /// This store if its file declares conditions on its snapshots, otherwise `nil`.
    var conditional: (any ConditionalStore)? { get }

    /// This store if its snapshots expire, otherwise `nil`.
    var expiring: (any ExpiringStore)? { get }

    /// This store if a checkpoint can save its snapshots, otherwise `nil`.
    var checkpointed: (any CheckpointedStore)? { get }

    /// This store if the gateway's doors can answer from it, otherwise `nil`.
    var inPlace: (any InPlaceStore)? { get }

    /// The reasons why a worker of a group, which gets only a part of the stream's entries, must not fill the store: an
    /// error in the file for each. Read after the stages were created.
    var groupObstacles: [String] { get }

    /// The commands that the store sends to its server: that of its setting `server`, which has the form of the section
    /// `redis`, or that of the section `redis` itself. `sluice check` checks the server and the permissions.
    var serverCommands: [ServerCommand] { get }

    /// Removes all snapshots and everything else the store remembers. From here on lookups in this process find nothing.
    func removeAll()

    /// Completes `removeAll` if the content is outside of this process. A source calls it after `removeAll`, before it
    /// continues reading.
    ///
    /// - Throws: An error if that is impossible now; the removal stays requested.
    func finishRemoval() async throws

    /// Called before the stages of a graph, also of one that a reload checks, create their writers.
    func prepareForGraph()

    /// Checks what the store needs outside of this process, for `sluice check`; changes nothing there. Called for a
    /// store that is not open.
    func check() async -> [CheckStep]
}

/// Where a store's content is when the worker starts again.
public enum StoreRetention: Sendable, Equatable {
    /// In this process only: the store is empty until the source fills it again, so it cannot be used with a checkpoint.
    case process
    /// In the checkpoint, if the file has one, otherwise in this process only. The store is a `CheckpointedStore`.
    case checkpoint
    /// Outside of the process, such as on a server: the store keeps its content itself.
    case own
}

/// A store that can remove the snapshots that are older than a given entry.
public protocol SweepingStore: SnapshotStore {
    /// Removes every snapshot that came from an entry before `entry`, without remembering the removal.
    func removeSnapshots(before entry: EntryID)
}

extension SnapshotStore {
    /// `false`: by default each process has its own store.
    public var isShared: Bool { false }

    /// The reason why the store is not fresh, unless it is filled with the entries of one stream, in order.
    public var lookupDoubt: String? {
        guard let freshness = self.freshness, !freshness.isFilledInOrder else { return nil }
        return freshness.staleness?.description
    }

    /// `nil`: lookups are answered in this process.
    public var remote: (any RemoteSnapshotStore)? { nil }

    /// `nil`: only this process reads the store.
    public var published: (any PublishedSnapshotStore)? { nil }

    /// `nil`: all snapshots are removed instead.
    public var sweeping: (any SweepingStore)? { nil }

    /// `nil`: the store does not distinguish streams.
    public var streamFed: (any StreamFedStore)? { nil }

    /// `nil`: the store has no conditions.
    public var conditional: (any ConditionalStore)? { nil }

    /// Does nothing: `removeAll` has removed everything.
    public func finishRemoval() async throws {}

    /// `nil`: snapshots are kept until something removes them.
    public var expiring: (any ExpiringStore)? { nil }

    /// `nil`: a checkpoint cannot save the store.
    public var checkpointed: (any CheckpointedStore)? { nil }

    /// `nil`: the gateway cannot use the store.
    public var inPlace: (any InPlaceStore)? { nil }

    /// An empty list: a worker of a group can fill the store.
    public var groupObstacles: [String] { [] }

    /// An empty list: the store has no server that `sluice check` could check.
    public var serverCommands: [ServerCommand] { [] }

    /// Does nothing.
    public func prepareForGraph() {}

    /// An empty list: nothing can be checked.
    public func check() async -> [CheckStep] { [] }

    /// `nil`: not known.
    public func evictingEntry(for key: Span<UInt8>) -> EntryID? { nil }
}

extension SweepingStore {
    /// This store.
    public var sweeping: (any SweepingStore)? { self }
}
