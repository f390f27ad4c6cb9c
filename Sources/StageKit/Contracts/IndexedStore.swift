/// A store that also finds its snapshots by the values of fields other than the key.
///
/// The values of such a field are compared byte for byte. Snapshots without the field are not found by it.
public protocol IndexedStore: StageStore {
    /// The indexed fields, in the order of the file.
    var indexedFields: [LocatedName] { get }

    /// Returns the snapshots with a value in an indexed field, ordered by their keys. Can be called from any thread at
    /// any time.
    ///
    /// - Parameters:
    ///   - field: The name of the field.
    ///   - value: The value.
    ///   - limit: The maximum number of snapshots and of the bytes of their values.
    /// - Returns: The snapshots, or `nil` if the field is not indexed.
    func snapshots(by field: String, equal value: Span<UInt8>, limit: IndexLimit) -> IndexedSnapshots?

    /// Creates an ender for a stage that ends snapshots by an indexed field.
    ///
    /// - Parameters:
    ///   - field: The name of the field.
    ///   - issuedAt: The field of a snapshot with the time at which it was issued, or `nil` to use the time in the id of
    ///     its entry, which is that of its last update.
    /// - Returns: The ender, or `nil` if the field is not indexed.
    func makeEnder(by field: String, issuedAt: LocatedName?) -> (any SnapshotEnder)?
}

/// How much one call on an indexed store processes.
public struct IndexLimit: Sendable, Equatable {
    /// The number of snapshots.
    public var count: Int
    /// The number of bytes of their keys and values.
    public var bytes: Int

    /// Creates a limit.
    public init(count: Int, bytes: Int) {
        self.count = count
        self.bytes = bytes
    }
}

/// Snapshots with the same value in an indexed field.
public struct IndexedSnapshots: Sendable, Equatable {
    /// The snapshots, ordered by their keys.
    public var snapshots: [Snapshot]
    /// Whether the limit was reached, so that there may be more.
    public var isTruncated: Bool

    /// Creates an answer.
    public init(_ snapshots: [Snapshot], isTruncated: Bool) {
        self.snapshots = snapshots
        self.isTruncated = isTruncated
    }
}

/// Ends the snapshots of a store that an event names by the value of an indexed field. Used by one thread at a time.
///
/// A snapshot is ended like one that `SnapshotWriter.evict` removes: the store remembers the entry's id, so that no older
/// entry can restore the key. Only snapshots of older entries are ended. Of a snapshot from another stream, whose ids
/// cannot be compared, only the time at which it was issued counts.
///
/// Until `announced` is called, a checkpoint of the store still contains the ended snapshots, so that an entry that is
/// read again after a restart ends them again.
public protocol SnapshotEnder: AnyObject {
    /// Finds the snapshots that an event ends, in place of those of another event that were not ended yet.
    ///
    /// From here on, an entry older than the event stores no snapshot with the value.
    ///
    /// - Parameters:
    ///   - event: The event.
    ///   - value: The value of the indexed field.
    ///   - issuedBefore: The event's field with a time: a snapshot that was issued at that time or later is not ended. A
    ///     snapshot whose time of issue is missing or unreadable is ended. `nil` if the time does not matter.
    /// - Throws: `StageFailure` if the event has no such time: a number of milliseconds since 1970, or a timestamp of
    ///   RFC 3339. Nothing has changed then.
    func begin(_ event: borrowing Event, value: ByteRange, issuedBefore: FieldID?) throws

    /// Ends further snapshots, and passes the key of each to `body` after it was ended.
    ///
    /// - Parameters:
    ///   - limit: The limit of this call; reduced by the ended snapshots, whose bytes can exceed it.
    ///   - body: Called with each key.
    /// - Returns: Whether all have been ended. If not, the limit was reached.
    func end(_ limit: inout IndexLimit, _ body: (Span<UInt8>) -> Void) -> Bool

    /// Confirms that all snapshots ended so far were announced.
    func announced()
}

extension IndexedStore {
    /// This store. A store whose settings decide whether there is an index returns `nil` without one.
    public var indexed: (any IndexedStore)? { self }
}
