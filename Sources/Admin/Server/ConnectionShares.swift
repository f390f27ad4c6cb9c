/// Decides which connections a full server keeps, so that unproven clients cannot keep others out. Pure.
///
/// A connection is *proven* once it has made an allowed request for something that needs permission: with the token,
/// with a client certificate, or without either if none is required. Probes and the dashboard's page prove nothing.
/// Connections are accepted while there is room. When the limit is reached, a new connection replaces an unproven one:
/// among those of the peer with the most unproven connections, the one that has been idle longest. Proven connections
/// are never replaced, and they cannot occupy the last `reserve` connections, so that probes and new clients can always
/// connect.
struct ConnectionShares: Sendable {
    /// A connection's number; later connections have greater numbers.
    typealias ID = UInt64

    private struct Connection {
        var peer: ConnectionPeer
        var isProven = false
        /// Requests without a response so far.
        var requests = 0
        /// The time of the last change, as a number of changes.
        var since: UInt64
    }

    private let places: Int
    private let reserve: Int
    private var open: [ID: Connection] = [:]
    private var changes: UInt64 = 0
    private var lastID: ID = 0

    /// Creates a state without connections.
    ///
    /// - Parameters:
    ///   - places: The maximum number of connections.
    ///   - reserve: How many of these are not available to proven connections.
    init(places: Int, reserve: Int) {
        self.places = places
        self.reserve = reserve
    }

    /// The number of open connections.
    var count: Int { self.open.count }

    /// Adds a new connection.
    ///
    /// - Returns: Its number, and the number of the connection to close for it, which may be itself; `nil` if there is
    ///   room.
    mutating func admit(_ peer: ConnectionPeer) -> (id: ID, evicted: ID?) {
        self.lastID += 1
        let id = self.lastID
        let evicted = self.open.count < self.places ? nil : self.victim ?? id
        if let evicted { self.open[evicted] = nil }
        if evicted != id { self.open[id] = Connection(peer: peer, since: self.tick()) }
        return (id, evicted)
    }

    /// Notes the headers of a request.
    mutating func requestBegan(_ id: ID) { self.change(id) { $0.requests += 1 } }

    /// Notes the end of a response.
    mutating func responseEnded(_ id: ID) { self.change(id) { $0.requests = max(0, $0.requests - 1) } }

    /// Notes that a connection has proven itself. Returns whether it can no longer be replaced; this is false if proven
    /// connections already occupy everything except the reserve.
    mutating func prove(_ id: ID) -> Bool {
        guard let connection = self.open[id] else { return false }
        if connection.isProven { return true }
        guard self.open.values.count(where: \.isProven) < self.places - self.reserve else { return false }
        self.open[id]?.isProven = true
        return true
    }

    /// Removes a connection that has ended; a connection that was already evicted is ignored.
    mutating func remove(_ id: ID) { self.open[id] = nil }

    /// The connection to replace next, or `nil` if all are proven.
    private var victim: ID? {
        let unproven = self.open.filter { !$0.value.isProven }
        let shares = unproven.values.reduce(into: [ConnectionPeer: Int]()) { $0[$1.peer, default: 0] += 1 }
        return unproven.max { left, right in
            let (share, otherShare) = (shares[left.value.peer] ?? 0, shares[right.value.peer] ?? 0)
            if share != otherShare { return share < otherShare }
            let (isIdle, isOtherIdle) = (left.value.requests == 0, right.value.requests == 0)
            if isIdle != isOtherIdle { return isOtherIdle }
            return left.value.since > right.value.since
        }?.key
    }

    private mutating func change(_ id: ID, _ change: (inout Connection) -> Void) {
        guard var connection = self.open[id] else { return }
        change(&connection)
        connection.since = self.tick()
        self.open[id] = connection
    }

    private mutating func tick() -> UInt64 {
        self.changes += 1
        return self.changes
    }
}
