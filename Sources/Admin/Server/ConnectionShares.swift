/// Decides which connections a full server keeps, so that clients who prove nothing keep nobody else out. Pure.
///
/// A connection is *proven* once it has asked for something that needs permission and has it: with the token, with a
/// client certificate, or where neither is asked for. Probes and the dashboard's page prove nothing. While there is room,
/// every connection is taken. When all places are taken, a new connection gets the place of an unproven one: of the peer
/// that has the most of them, the one that has been idle for the longest time. Proven connections never lose their place,
/// and `reserve` places are never theirs, so that probes and newcomers always get in.
struct ConnectionShares: Sendable {
    /// A connection's number: a later one is greater.
    typealias ID = UInt64

    private struct Connection {
        var peer: ConnectionPeer
        var isProven = false
        /// Requests without an answer so far.
        var requests = 0
        /// When it last changed, counted in changes.
        var since: UInt64
    }

    private let places: Int
    private let reserve: Int
    private var open: [ID: Connection] = [:]
    private var changes: UInt64 = 0
    private var lastID: ID = 0

    /// Nobody is connected yet.
    ///
    /// - Parameters:
    ///   - places: The number of connections at a time.
    ///   - reserve: The places among them that proven connections do not get.
    init(places: Int, reserve: Int) {
        self.places = places
        self.reserve = reserve
    }

    /// The number of open connections.
    var count: Int { self.open.count }

    /// Takes a new connection.
    ///
    /// - Returns: Its number, and that of the connection to close for it, which may be itself; `nil` if there is room.
    mutating func admit(_ peer: ConnectionPeer) -> (id: ID, evicted: ID?) {
        self.lastID += 1
        let id = self.lastID
        let evicted = self.open.count < self.places ? nil : self.victim ?? id
        if let evicted { self.open[evicted] = nil }
        if evicted != id { self.open[id] = Connection(peer: peer, since: self.tick()) }
        return (id, evicted)
    }

    /// Notes the head of a request.
    mutating func requestBegan(_ id: ID) { self.change(id) { $0.requests += 1 } }

    /// Notes the end of a response.
    mutating func responseEnded(_ id: ID) { self.change(id) { $0.requests = max(0, $0.requests - 1) } }

    /// Notes that a connection has proven itself. Returns whether it keeps its place from now on: not if all places but
    /// the reserve are taken by such connections.
    mutating func prove(_ id: ID) -> Bool {
        guard let connection = self.open[id] else { return false }
        if connection.isProven { return true }
        guard self.open.values.count(where: \.isProven) < self.places - self.reserve else { return false }
        self.open[id]?.isProven = true
        return true
    }

    /// Notes that a connection has ended; one that was evicted may be named again.
    mutating func remove(_ id: ID) { self.open[id] = nil }

    /// The connection that loses its place next; `nil` if all are proven.
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
