import StageKit

/// The values of indexed fields whose snapshots were ended, with the newest entry that did so: an entry that is older
/// than that stores no snapshot with the value, whatever its key.
///
/// Entries in stream order are newer than all of these. Only an older entry that comes late, such as a replayed
/// dead-letter entry, is refused. Ids are comparable within one stream only, so each stream has entries of its own.
///
/// If there are too many values, the oldest is forgotten, and the floor of its stream rises to its entry: then every
/// entry up to the floor is refused.
struct EndedValues: Sendable {
    /// The maximum number of values: at most some 6 MiB.
    static let limit = 65_536

    private let limit: Int
    /// The newest entry by the hash of a value, mixed with its field and its stream.
    private var entries: [UInt64: EntryID] = [:]
    /// The keys of `entries` in the order in which they were added: a ring once it is full.
    private var order: [(key: UInt64, stream: Int)] = []
    private var oldest = 0
    private var streams: [Stream] = []

    /// The state of a stream.
    private struct Stream: Sendable {
        /// The newest entry that has ended snapshots.
        var newest: EntryID?
        /// The newest entry whose value was forgotten.
        var floor: EntryID?
    }

    /// Creates an empty memory for up to `limit` values.
    init(limit: Int = EndedValues.limit) {
        self.limit = limit
    }

    /// Remembers that an entry of a stream has ended the snapshots with a value in a field.
    mutating func add(_ entry: EntryID, of stream: Int, value: UInt64, field: Int) {
        while self.streams.count <= stream { self.streams.append(Stream()) }
        self.streams[stream].newest = Swift.max(self.streams[stream].newest ?? entry, entry)
        let key = Self.key(value, field, stream)
        if let known = self.entries[key] {
            self.entries[key] = Swift.max(known, entry)
            return
        }
        self.entries[key] = entry
        if self.order.count < self.limit { return self.order.append((key, stream)) }
        let (forgotten, from) = self.order[self.oldest]
        if let last = self.entries.removeValue(forKey: forgotten) {
            self.streams[from].floor = Swift.max(self.streams[from].floor ?? last, last)
        }
        self.order[self.oldest] = (key, stream)
        self.oldest = self.oldest + 1 == self.limit ? 0 : self.oldest + 1
    }

    /// Whether an entry of a stream is older than one that has ended snapshots. If not, `covers` is false for every value.
    @inline(__always)
    func mayCover(_ entry: EntryID, of stream: Int) -> Bool {
        guard stream < self.streams.count, let newest = self.streams[stream].newest else { return false }
        return entry < newest
    }

    /// Whether an entry of a stream must not store a snapshot with this value in a field.
    func covers(_ entry: EntryID, of stream: Int, value: UInt64, field: Int) -> Bool {
        guard self.mayCover(entry, of: stream) else { return false }
        if let floor = self.streams[stream].floor, entry < floor { return true }
        return self.entries[Self.key(value, field, stream)].map { entry < $0 } ?? false
    }

    /// Forgets everything.
    mutating func removeAll() {
        self = EndedValues(limit: self.limit)
    }

    private static func key(_ value: UInt64, _ field: Int, _ stream: Int) -> UInt64 {
        // Two different values with the same result only make a late entry be refused.
        value ^ (UInt64(field) << 32 | UInt64(stream) + 1) &* 0x9E37_79B9_7F4A_7C15
    }
}
