/// A store of snapshots by key, as stages use it. An older or repeated entry never overwrites a newer snapshot; entries
/// are compared by `Event.orderID`.
///
/// Changes are made through writers, one for each stage that changes the store.
public protocol StageStore: AnyObject, Sendable {
    /// The store's name in the file.
    var name: String { get }

    /// The field whose value is a snapshot's key.
    var keyField: String { get }

    /// Returns the snapshot under a key, as an independent copy, or `nil` if there is none. Always `nil` for a store on a
    /// server. Can be called from any thread at any time.
    func snapshot(for key: Span<UInt8>) -> Snapshot?

    /// This store if its lookups go over the network, otherwise `nil`.
    var awaited: (any AwaitedStore)? { get }

    /// This store if it also finds snapshots by fields other than the key, otherwise `nil`.
    var indexed: (any IndexedStore)? { get }

    /// The reason why the store may still lack entries from before the events of a batch, or `nil` if it has them all.
    ///
    /// A store that one stream fills in order has all entries from before an event of that stream, even while lookups
    /// from outside must not be answered. A store that several streams fill may not. Can be called from any thread.
    var lookupDoubt: String? { get }

    /// Creates a writer for events whose key and fields are in the given columns.
    ///
    /// - Parameters:
    ///   - key: The column of the key.
    ///   - fields: The columns that a snapshot keeps, with their names.
    /// - Returns: The writer.
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter
}

/// A store on a server, whose lookups go over the network.
public protocol AwaitedStore: StageStore {
    /// Requests the snapshot under a key. Can be called from any task, concurrently.
    ///
    /// Values are returned as the server stores them; no field is known to be a number.
    ///
    /// - Returns: The snapshot, or `nil` if there is none.
    /// - Throws: An error if the server does not answer in time, or refuses the request. A `LookupError` says which.
    func lookUp(_ key: [UInt8]) async throws -> Snapshot?
}

/// The failure of a request to a server.
public protocol LookupError: Error {
    /// Whether the server cannot be used now, so that other requests would fail too. If not, the failure concerns this
    /// request only.
    var isOutage: Bool { get }
}

extension AwaitedStore {
    /// This store.
    public var awaited: (any AwaitedStore)? { self }
}

extension StageStore {
    /// `nil`: lookups are answered in this process.
    public var awaited: (any AwaitedStore)? { nil }

    /// `nil`: snapshots are found by their keys only.
    public var indexed: (any IndexedStore)? { nil }

    /// `nil`: the store has all earlier entries.
    public var lookupDoubt: String? { nil }

    /// Returns the snapshot under a key given as text, or `nil` if there is none.
    public func snapshot(for key: String) -> Snapshot? {
        var key = key
        return key.withUTF8 { unsafe self.snapshot(for: $0.span) }
    }
}

/// Changes a store event by event. Called by one thread at a time.
public protocol SnapshotWriter: AnyObject {
    /// Hints that `upsert` will be called with the event soon.
    func prepare(_ event: borrowing Event)

    /// Stores the event's snapshot under its key if the entry is newer than the stored one.
    ///
    /// The result is about this store only: `.repeated` and `.older` do not mean that later stages have seen the event.
    ///
    /// - Returns: The effect on the store.
    /// - Throws: `StageFailure` if the store refuses the snapshot because the store is full or the record is too large.
    ///   The store is unchanged then.
    func upsert(_ event: borrowing Event) throws -> StoreChange

    /// Removes the snapshot under the event's key, unless the entry is older than the snapshot.
    ///
    /// The store remembers the entry's id, so that no older entry can restore the key.
    ///
    /// - Returns: The effect on the store.
    func evict(_ event: borrowing Event) throws -> StoreChange

    /// Ends a batch. When this returns, a store outside of this process has received all changes.
    func endBatch() async throws

    /// Whether `endBatch` does nothing and does not have to be called.
    var endsBatchesAtOnce: Bool { get }

    /// This writer if the results of its changes are known only when a server has answered, otherwise `nil`.
    var deferred: (any DeferredWriter)? { get }
}

extension SnapshotWriter {
    /// Does nothing: a store in this process is changed immediately.
    public func endBatch() async throws {}

    /// `false`: `endBatch` is called.
    public var endsBatchesAtOnce: Bool { false }

    /// `nil`: the result of a change is known immediately.
    public var deferred: (any DeferredWriter)? { nil }
}

/// The effect of an event on a store.
///
/// It says nothing about the rest of the graph. A worker that stops in the middle of a batch leaves the changes of the
/// batch's later entries in the store, and other workers may share the store, so an entry can be `repeated` or `older`
/// although no later stage has seen it. A stage passes such an event on unless `Event.isKnownFinished` is set.
public enum StoreChange: Sendable, Equatable {
    /// The store has made the event's change.
    case applied
    /// The entry had been applied before; nothing changed.
    case repeated
    /// The store holds something newer; nothing changed.
    case older
}
