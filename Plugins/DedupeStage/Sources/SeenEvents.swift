import StageKit

/// Which events were seen, and by which entry first.
struct SeenEvents {
    /// Milliseconds that an event is remembered for; nil for as long as there is room.
    private let age: UInt64?
    private var keys: RecentKeys<EntryID>

    /// Has seen nothing yet.
    init(limit: Int, age: UInt64?) {
        self.keys = RecentKeys(limit: limit)
        self.age = age
    }

    /// Whether an earlier entry had the same key; if none had, this one is remembered.
    ///
    /// The entry that was first is not its own duplicate when it is read again, and neither is one before it.
    mutating func isRepeated(_ key: EventKey, at id: EntryID) -> Bool {
        while let oldest = self.keys.oldest, self.isTooOld(oldest, at: id) { self.keys.removeOldest() }
        guard let index = self.keys.index(of: key) else {
            self.keys.insert(key, id)
            return false
        }
        // Behind a younger one where entries were read again, so that the loop has not come to it.
        if self.isTooOld(self.keys[index], at: id) {
            self.keys[index] = id
            return false
        }
        return id > self.keys[index]
    }

    private func isTooOld(_ first: EntryID, at id: EntryID) -> Bool {
        guard let age = self.age, id.milliseconds > first.milliseconds else { return false }
        return id.milliseconds - first.milliseconds > age
    }
}
