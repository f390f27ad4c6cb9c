import StageKit

/// The events that were seen, with the first entry of each.
struct SeenEvents {
    /// How long an event is remembered, in milliseconds, or `nil` for as long as there is room.
    private let age: UInt64?
    private var keys: RecentKeys<First>

    /// The first entry of an event.
    private struct First: BitwiseCopyable {
        var id: EntryID
        /// The number of its element, or -1 for the event of the entry itself.
        var element: Int
        /// The number of its stream: ids of two streams cannot be compared.
        var stream: Int
    }

    /// Creates an empty set.
    init(limit: Int, age: UInt64?) {
        self.keys = RecentKeys(limit: limit)
        self.age = age
    }

    /// Returns whether an earlier entry had the same key. If not, this entry is remembered.
    ///
    /// When the first entry is read again, it is not a duplicate of itself, and neither is an entry before it.
    mutating func isRepeated(_ key: EventKey, at id: EventID, of stream: Int = 0) -> Bool {
        let entry = First(id: id.entry, element: id.element ?? -1, stream: stream)
        while let oldest = self.keys.oldest, self.isTooOld(oldest, at: entry) { self.keys.removeOldest() }
        guard let index = self.keys.index(of: key) else {
            self.keys.insert(key, entry)
            return false
        }
        // The key may be behind a younger one if entries were read again, or behind one of another stream.
        if self.isTooOld(self.keys[index], at: entry) {
            self.keys[index] = entry
            return false
        }
        let first = self.keys[index]
        return entry.id == first.id ? entry.element > first.element : entry.id > first.id
    }

    private func isTooOld(_ first: First, at entry: First) -> Bool {
        guard let age = self.age, first.stream == entry.stream, entry.id.milliseconds > first.id.milliseconds else {
            return false
        }
        return entry.id.milliseconds - first.id.milliseconds > age
    }
}
