import StageKit

/// What a store remembers of evictions, so that no entry older than one brings its key back.
///
/// An evicted key leaves a trace in its table: the key with the evicting entry's id. Traces are held in the order of the
/// evictions and the oldest is forgotten when there are too many; then the floor of its stream rises to its id. The invariant:
///
/// **For every eviction, the key's record is newer than it, or the key has a trace at least as new, or the key has
/// nothing and its stream's floor is at least as new.** An entry is applied to a key without record or trace only if it
/// is newer than the floor of its stream, so none older than an eviction is ever applied. Entries in stream order are newer
/// than every eviction before them and thus never held up.
///
/// Ids are comparable within one stream only, so each stream has a floor of its own. The traces of all streams share one
/// limit: a trace that makes room for another stream's raises the floor of its own stream, to an id that this stream has
/// passed.
///
/// A trace whose key got a newer record or was evicted again is stale: forgetting it changes nothing.
struct EvictionMemory: Sendable {
    /// How many evictions are remembered one by one: at 24 bytes here and some 60 in a table, 6 MiB at most; replays
    /// that reach back over more evictions than these are held up by `floor` alone.
    static let limit = 65_536

    /// A trace in a shard's table: the hash of its key and the entry that left it.
    struct Trace: Sendable, Equatable {
        /// The key's hash.
        let hash: UInt64
        /// The evicting entry.
        let entryID: EntryID
    }

    /// The newest entry of each stream that a forgotten trace stood for; nil before one was forgotten.
    private var floors: [EntryID?] = [nil]

    private let limit: Int
    /// A ring once it is full: the trace at `oldest` is replaced next.
    private var traces: [Trace] = []
    private var oldest = 0

    /// Remembers nothing yet, later up to `limit` evictions.
    init(limit: Int = EvictionMemory.limit) {
        self.limit = limit
    }

    /// The floor of a stream.
    func floor(of stream: Int) -> EntryID? { stream < self.floors.count ? self.floors[stream] : nil }

    /// Whether an entry of a stream may be applied to a key that has neither record nor trace.
    func admits(_ entry: EntryID, of stream: Int) -> Bool {
        self.floor(of: stream).map { entry > $0 } ?? true
    }

    /// Remembers an eviction; returns the trace to forget for it, if any.
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

    /// Raises the floor of a stream to a trace that is about to be taken out of its table.
    mutating func raiseFloor(to entry: EntryID, of stream: Int) {
        while self.floors.count <= stream { self.floors.append(nil) }
        self.floors[stream] = Swift.max(self.floors[stream] ?? entry, entry)
    }

    /// Forgets everything, the floor as well.
    mutating func removeAll() {
        self = EvictionMemory(limit: self.limit)
    }
}
