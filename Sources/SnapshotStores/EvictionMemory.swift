import StageKit

/// A store's memory of evictions, which prevents entries older than an eviction from restoring its key.
///
/// An evicted key leaves a trace in its table: the key with the evicting entry's id. Traces are kept in the order of
/// the evictions. If there are too many, the oldest is forgotten, and the floor of its stream rises to its id. The
/// invariant:
///
/// **For every eviction, the key's record is newer than it, or the key has a trace at least as new, or the key has
/// nothing and its stream's floor is at least as new.** An entry is applied to a key without record or trace only if it
/// is newer than the floor of its stream, so no entry older than an eviction is ever applied. Entries in stream order
/// are newer than every eviction before them and thus never refused.
///
/// Ids are comparable within one stream only, so each stream has a floor of its own. The traces of all streams share
/// one limit: if a trace is forgotten to make room for another stream's, the floor of its own stream rises, to an id
/// that this stream has passed.
///
/// A trace whose key got a newer record or was evicted again is obsolete: forgetting it changes nothing.
struct EvictionMemory: Sendable {
    /// The maximum number of traces: at 24 bytes here and some 60 in a table, at most 6 MiB. For replays that reach
    /// back over more evictions, only the floor applies.
    static let limit = 65_536

    /// A trace in a shard's table: the hash of its key and the evicting entry.
    struct Trace: Sendable, Equatable {
        /// The key's hash.
        let hash: UInt64
        /// The evicting entry.
        let entryID: EntryID
    }

    /// The newest entry of each stream whose trace was forgotten, or `nil` if none was.
    private var floors: [EntryID?] = [nil]

    private let limit: Int
    /// A ring once it is full: the trace at `oldest` is replaced next.
    private var traces: [Trace] = []
    private var oldest = 0

    /// Creates an empty memory for up to `limit` evictions.
    init(limit: Int = EvictionMemory.limit) {
        self.limit = limit
    }

    /// The floor of a stream.
    func floor(of stream: Int) -> EntryID? { stream < self.floors.count ? self.floors[stream] : nil }

    /// Whether an entry of a stream may be applied to a key that has neither record nor trace.
    func admits(_ entry: EntryID, of stream: Int) -> Bool {
        self.floor(of: stream).map { entry > $0 } ?? true
    }

    /// Remembers an eviction; returns the trace that must be forgotten to make room, or `nil`.
    mutating func remember(_ trace: Trace) -> Trace? {
        if self.traces.count < self.limit {
            self.traces.append(trace)
            return nil
        }
        let forgotten = self.traces[self.oldest]
        self.traces[self.oldest] = trace
        self.oldest = self.oldest + 1 == self.limit ? 0 : self.oldest + 1
        return forgotten
    }

    /// Raises the floor of a stream to a trace that is about to be removed from its table.
    mutating func raiseFloor(to entry: EntryID, of stream: Int) {
        while self.floors.count <= stream { self.floors.append(nil) }
        self.floors[stream] = Swift.max(self.floors[stream] ?? entry, entry)
    }

    /// Forgets all evictions and floors.
    mutating func removeAll() {
        self = EvictionMemory(limit: self.limit)
    }
}
