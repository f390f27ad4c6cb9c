import StageKit

/// What the holder of a store's `changes` knows about snapshots that expire.
struct ExpiryState: Sendable {
    /// For each shard a time before which none of its snapshots expires. The shard is searched from that time on.
    ///
    /// Updates lower it, removals and renewals do not raise it; a search sets it to the earliest time that is left.
    private(set) var earliest: [Int64]
    /// The shard at which the next search begins.
    private var next = 0
    /// The snapshots that a full store removed to make room, and that were not announced yet.
    private(set) var unannounced: [ExpiredSnapshot] = []
    private var unannouncedBytes = 0
    private let limit: Int

    /// The maximum number of snapshots that are removed before they are announced: as many as the revocation feed keeps.
    static let unannouncedLimit = 65_536
    /// The maximum number of bytes of their keys, unless a single key is larger.
    static let unannouncedBytesLimit = 8 << 20

    /// Creates the state of an empty store; `limit` is the maximum number of unannounced snapshots.
    init(shards: Int, limit: Int = ExpiryState.unannouncedLimit) {
        self.earliest = Array(repeating: .max, count: shards)
        self.limit = limit
    }

    /// Records that a snapshot of a shard expires at a time.
    mutating func note(_ time: Int64, _ shard: Int) {
        if time < self.earliest[shard] { self.earliest[shard] = time }
    }

    /// Records that no snapshots are left. Those that were removed before are still to be announced.
    mutating func removedAll() {
        self.earliest = Array(repeating: .max, count: self.earliest.count)
    }

    /// Returns the next shard to search, or `nil` if no snapshot has expired. The search after it begins behind it.
    mutating func takeDue(now: Int64) -> Int? {
        for step in 0..<self.earliest.count {
            let shard = (self.next + step) % self.earliest.count
            guard self.earliest[shard] <= now else { continue }
            self.next = shard + 1
            return shard
        }
        return nil
    }

    /// Records the result of a search: the earliest time of the snapshots that are left.
    mutating func searched(_ shard: Int, earliest: Int64) {
        self.earliest[shard] = earliest
    }

    /// Whether one more snapshot can be removed before it is announced.
    var hasRoom: Bool {
        self.unannounced.count < self.limit && self.unannouncedBytes < Self.unannouncedBytesLimit
    }

    /// Adds a snapshot that was removed and has to be announced.
    mutating func owe(_ snapshot: ExpiredSnapshot) {
        self.unannounced.append(snapshot)
        self.unannouncedBytes += snapshot.key.count
    }

    /// Records that the first `count` of them were announced.
    mutating func announced(_ count: Int) {
        self.unannouncedBytes -= self.unannounced.prefix(count).reduce(0) { $0 + $1.key.count }
        self.unannounced.removeFirst(count)
    }
}
