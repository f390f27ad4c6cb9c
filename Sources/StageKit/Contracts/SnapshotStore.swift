/// Keyed snapshots, each as new as the entry it came from: an older or repeated entry never overwrites a newer one.
///
/// Entries are compared by `Event.orderID`.
///
/// Look-ups come from any thread at any time; changes come through writers, one writer for each stage that changes it.
public protocol SnapshotStore: AnyObject, Sendable {
    /// The store's name in the file.
    var name: String { get }

    /// The field whose value is a snapshot's key.
    var keyField: String { get }

    /// How many snapshots it holds.
    var count: Int { get }

    /// The snapshot under a key, a copy that stays as it is; nil where there is none, and in a `RemoteSnapshotStore`.
    func snapshot(for key: Span<UInt8>) -> Snapshot?

    /// The entry that took a key out of the store; nil where that is not known, or where the store holds the key.
    func evictingEntry(for key: Span<UInt8>) -> EntryID?

    /// Calls `body` with every snapshot, in no order.
    ///
    /// Changes made meanwhile may or may not be seen; no lock is held while `body` runs.
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows

    /// How new its news is: written by the source that feeds the store, to be asked before a look-up is relied on. Nil
    /// where the store does not say. Without a default, which a file that does not import the store's module would see
    /// in the place of the store's own.
    var freshness: Freshness? { get }

    /// Whether all workers that name the store see the same, so that each may be given a part of the stream.
    var isShared: Bool { get }

    /// Forgets everything.
    func removeAll()

    /// A writer for events whose key and fields stand in these columns.
    ///
    /// - Parameters:
    ///   - key: The column of the key.
    ///   - fields: The columns kept in a snapshot, with their names.
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter
}

/// A store that can let go of what is older than some entry.
public protocol SweepingStore: SnapshotStore {
    /// Takes out every snapshot that came from an entry before this one; it leaves no trace of them.
    func removeSnapshots(before entry: EntryID)
}

extension SnapshotStore {
    /// No: a store is its process's own unless it says otherwise.
    public var isShared: Bool { false }

    /// Nothing.
    public func evictingEntry(for key: Span<UInt8>) -> EntryID? { nil }

    /// The snapshot under a key given as text.
    public func snapshot(for key: String) -> Snapshot? {
        var key = key
        return key.withUTF8 { unsafe self.snapshot(for: $0.span) }
    }
}

/// Changes a store, event by event. Called from one thread at a time.
public protocol SnapshotWriter: AnyObject {
    /// A hint that `upsert` will be called with the event soon.
    func prepare(_ event: borrowing Event)

    /// Holds the event's snapshot under its key, if the entry is newer than what is held.
    ///
    /// The result is about this store only: `.repeated` and `.older` do not mean that the stages behind have seen the event.
    ///
    /// Throws `StageFailure` where the store refuses it: it is full, or the record is too large. Nothing has changed then.
    func upsert(_ event: borrowing Event) throws -> StoreChange

    /// Takes out what is held under the event's key, unless the entry is older than it.
    ///
    /// The store remembers the entry's id, so that no older entry brings the key back.
    func evict(_ event: borrowing Event) throws -> StoreChange

    /// Ends a batch; a store elsewhere has everything when this returns.
    func endBatch() async throws

    /// Whether `endBatch` has nothing to do, so that it need not be called.
    var endsBatchesAtOnce: Bool { get }
}

extension SnapshotWriter {
    /// Does nothing: a store in this process has everything at once.
    public func endBatch() async throws {}

    /// No: who has an `endBatch` is called.
    public var endsBatchesAtOnce: Bool { false }
}

/// What a store did with an event.
///
/// It says nothing about the rest of the graph. A worker that stops in the middle of a batch leaves the changes of the
/// batch's later entries in the store, and other workers may share it, so an entry can be `repeated` or `older` although no
/// stage behind the store has seen it. A stage lets such an event go on unless `Event.isKnownFinished`.
public enum StoreChange: Sendable, Equatable {
    /// The event is what the store holds now.
    case applied
    /// This entry had been applied before; nothing changed.
    case repeated
    /// The store holds something newer; nothing changed.
    case older
}
