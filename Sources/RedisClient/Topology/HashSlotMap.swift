import RESP

/// The assignment of a cluster's slots to servers. Does no I/O.
///
/// Source: Redis documentation, CLUSTER SLOTS.
struct HashSlotMap: Sendable, Equatable {
    /// The maximum number of servers in a map. The specification recommends at most 1,000 primaries, and each may have
    /// several replicas.
    static let serverLimit = 10_000

    /// The primaries, in no particular order. Some may have lost their last slot.
    private(set) var primaries: [RedisAddress] = []
    /// The replicas, which can also be asked for the map.
    private(set) var replicas: [RedisAddress] = []
    /// The index of each slot's primary, or -1 if the slot has none.
    private var owners = [Int16](repeating: -1, count: HashSlot.count)

    /// Reads the answer of the server at `address`, or returns `nil` if the answer has an unexpected form.
    init?(_ answer: RESPValue, toldBy address: RedisAddress) {
        guard let ranges = answer.array else { return nil }
        for range in ranges {
            guard let parts = range.array, parts.count >= 3, let first = parts[0].integer, let last = parts[1].integer,
                first >= 0, first <= last, last < HashSlot.count,
                let primary = Self.server(parts[2], toldBy: address)
            else { return nil }
            let index = self.index(of: primary)
            guard index < Self.serverLimit else { return nil }
            for slot in Int(first)...Int(last) { self.owners[slot] = Int16(index) }
            self.replicas += parts.dropFirst(3).compactMap { Self.server($0, toldBy: address) }
            guard self.replicas.count <= Self.serverLimit else { return nil }
        }
    }

    /// The server of a slot, or `nil` if no server holds it.
    subscript(slot: HashSlot) -> RedisAddress? {
        let index = Int(self.owners[Int(slot.number)])
        return index < 0 ? nil : self.primaries[index]
    }

    /// Whether every slot has a server.
    var isWhole: Bool { !self.owners.contains(-1) }

    /// Records that a server now holds a slot.
    mutating func note(_ slot: HashSlot, at address: RedisAddress) {
        let index = self.index(of: address)
        if index < Self.serverLimit { self.owners[Int(slot.number)] = Int16(index) }
    }

    private mutating func index(of primary: RedisAddress) -> Int {
        if let index = self.primaries.firstIndex(of: primary) { return index }
        self.primaries.append(primary)
        return self.primaries.count - 1
    }

    /// Returns the address in a server's part of the answer. If it names no host, the answering server's host is used.
    private static func server(_ value: RESPValue, toldBy address: RedisAddress) -> RedisAddress? {
        guard let parts = value.array, parts.count >= 2, let port = parts[1].integer, (1...65535).contains(port)
        else { return nil }
        if let host = parts[0].string, !host.isEmpty, host != "?" { return .tcp(host: host, port: Int(port)) }
        guard case .tcp(let host, _) = address else { return .tcp(host: "localhost", port: Int(port)) }
        return .tcp(host: host, port: Int(port))
    }
}
