/// Which connections have read which keys, so that they receive an invalidation when a key changes.
///
/// Keys are represented by their hashes: two keys with one hash only cause an invalidation that is not needed. Each key
/// is forgotten when it changes, as in Redis: a connection that reads it again is remembered again.
struct TrackingTable: Sendable {
    /// The connections that have read a key: nearly always one.
    private struct Readers: Sendable {
        var first: UInt64
        var others: [UInt64] = []

        func contains(_ client: UInt64) -> Bool { self.first == client || self.others.contains(client) }
    }

    private let limit: Int
    private let totalLimit: Int
    private var readers: [UInt64: Readers] = [:]
    /// The keys of each connection.
    private var keys: [UInt64: Set<UInt64>] = [:]
    /// The number of keys of all connections.
    private(set) var total = 0

    /// Creates an empty table for this number of keys of a connection, and of all connections.
    init(limit: Int = RedisLimits.trackedKeys, totalLimit: Int = RedisLimits.trackedKeysOfAll) {
        self.limit = limit
        self.totalLimit = totalLimit
    }

    /// Whether any connection has read a key with this hash.
    func isRead(_ hash: UInt64) -> Bool { self.readers[hash] != nil }

    /// Remembers that a connection has read a key.
    ///
    /// - Returns: A connection for which everything must be invalidated, and which must be removed, because a limit is
    ///   reached; `nil` if there is none.
    mutating func add(_ hash: UInt64, _ client: UInt64) -> UInt64? {
        if self.readers[hash]?.contains(client) == true { return nil }
        if self.readers[hash] == nil {
            self.readers[hash] = Readers(first: client)
        } else {
            self.readers[hash]?.others.append(client)
        }
        self.keys[client, default: []].insert(hash)
        self.total += 1
        if (self.keys[client]?.count ?? 0) > self.limit { return client }
        guard self.total > self.totalLimit else { return nil }
        return self.keys.max { $0.value.count < $1.value.count }?.key
    }

    /// Forgets a key; calls `body` with each connection that has read it.
    mutating func take(_ hash: UInt64, _ body: (UInt64) -> Void) {
        guard let readers = self.readers.removeValue(forKey: hash) else { return }
        for client in [readers.first] + readers.others {
            self.keys[client]?.remove(hash)
            self.total -= 1
            body(client)
        }
    }

    /// Forgets a connection and returns its keys, each of which has still to be passed to `remove`.
    mutating func removeClient(_ client: UInt64) -> Set<UInt64> { self.keys.removeValue(forKey: client) ?? [] }

    /// Forgets that a connection, which has been removed, has read a key.
    mutating func remove(_ hash: UInt64, of client: UInt64) {
        // The key may have changed since, and is forgotten then.
        guard let readers = self.readers[hash], readers.contains(client) else { return }
        self.total -= 1
        var left = ([readers.first] + readers.others).filter { $0 != client }
        if left.isEmpty {
            self.readers[hash] = nil
        } else {
            self.readers[hash] = Readers(first: left.removeFirst(), others: left)
        }
    }

    /// Forgets all keys of all connections.
    mutating func removeAll() {
        self.readers.removeAll(keepingCapacity: true)
        self.keys.removeAll(keepingCapacity: true)
        self.total = 0
    }
}
