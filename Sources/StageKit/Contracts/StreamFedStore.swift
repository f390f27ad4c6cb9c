/// A store that is told which streams feed it, and since when.
public protocol StreamFedStore: SnapshotStore {
    /// Says which streams feed the store, if they are several; called before the first change.
    ///
    /// Ids of two streams cannot be compared. The store therefore remembers the stream of each key, throws for an upsert
    /// from another stream, and makes an eviction from another stream whatever the ids.
    ///
    /// - Parameter names: The streams' names, by the numbers that events have.
    func setStreams(_ names: [String])

    /// Says that the store may have missed entries of a stream up to this one.
    ///
    /// Of a key that the store does not hold nothing is known up to there, so an upsert that is replayed from there is
    /// refused as older. Entries that are not replayed are not affected.
    ///
    /// - Parameters:
    ///   - entry: The newest entry that may have been missed.
    ///   - stream: The stream's number among those that feed the store, from 0 on.
    func setHistoryStart(_ entry: EntryID, of stream: Int)
}

/// The refusal of an upsert for a key that is held from another stream.
package struct StreamRefusal: CustomStringConvertible {
    /// The message of the failure.
    package let description: String

    /// Makes a refusal.
    ///
    /// - Parameters:
    ///   - store: The store's name.
    ///   - held: The stream that the key is held from.
    ///   - entry: The stream of the refused entry.
    package init(store: String, held: String, entry: String) {
        self.description =
            "store \"\(store)\": the key is held from stream \"\(held)\" and the entry is of stream \"\(entry)\": "
            + "ids of two streams cannot be compared"
    }
}
