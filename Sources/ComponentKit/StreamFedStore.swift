public import StageKit

/// A store that needs to know which streams feed it, and from which entry on.
public protocol StreamFedStore: SnapshotStore {
    /// Sets the streams that feed the store, if there are several. Called before the first change.
    ///
    /// The ids of two streams cannot be compared. The store therefore remembers the stream of each key, throws on an
    /// upsert from another stream, and performs an eviction from another stream regardless of the ids.
    ///
    /// - Parameter names: The streams' names, indexed by the stream numbers of events.
    func setStreams(_ names: [String])

    /// Sets the newest entry of a stream up to which the store may have missed entries.
    ///
    /// For a key that the store does not hold, nothing is known up to that entry, so a replayed upsert from before it
    /// is refused as older. Entries that are not replayed are not affected.
    ///
    /// - Parameters:
    ///   - entry: The newest entry that may have been missed.
    ///   - stream: The stream's number among those that feed the store, starting at 0.
    func setHistoryStart(_ entry: EntryID, of stream: Int)
}

extension StreamFedStore {
    /// This store.
    public var streamFed: (any StreamFedStore)? { self }
}

/// The refusal of an upsert for a key that came from another stream.
public struct StreamRefusal: CustomStringConvertible {
    /// The failure message.
    public let description: String

    /// Creates a refusal.
    ///
    /// - Parameters:
    ///   - store: The store's name.
    ///   - held: The stream that the stored key came from.
    ///   - entry: The stream of the refused entry.
    public init(store: String, held: String, entry: String) {
        self.description =
            "store \"\(store)\": the key was written from stream \"\(held)\", but the entry is from stream "
            + "\"\(entry)\": "
            + "ids of two streams cannot be compared"
    }
}
