import RESP

/// Which server of a cluster has which slots. Pure.
///
/// Source: Redis documentation, CLUSTER SLOTS.
struct SlotMap: Sendable, Equatable {
    /// The most servers in a map: the specification recommends 1,000 primaries at most, and each may have some replicas.
    static let serverLimit = 10_000

    /// Servers that take changes, in no order; some may have lost their last slot.
    private(set) var primaries: [RedisAddress] = []
    /// Servers that follow them, which tell where others are as well.
    private(set) var replicas: [RedisAddress] = []
    /// The index of its primary for each slot, -1 for none.
    private var owners = [Int16](repeating: -1, count: HashSlot.count)

    /// Reads the answer of the server at `address`; nil where it is of another shape.
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

    /// The server of a slot; nil where no server has it.
    subscript(slot: HashSlot) -> RedisAddress? {
        let index = Int(self.owners[Int(slot.number)])
        return index < 0 ? nil : self.primaries[index]
    }

    /// Whether every slot has a server.
    var isWhole: Bool { !self.owners.contains(-1) }

    /// Takes over that a server has a slot now.
    mutating func note(_ slot: HashSlot, at address: RedisAddress) {
        let index = self.index(of: address)
        if index < Self.serverLimit { self.owners[Int(slot.number)] = Int16(index) }
    }

    private mutating func index(of primary: RedisAddress) -> Int {
        if let index = self.primaries.firstIndex(of: primary) { return index }
        self.primaries.append(primary)
        return self.primaries.count - 1
    }

    /// The address in a server's part of the answer; one without a host has that of whoever answers.
    private static func server(_ value: RESPValue, toldBy address: RedisAddress) -> RedisAddress? {
        guard let parts = value.array, parts.count >= 2, let port = parts[1].integer, (1...65535).contains(port)
        else { return nil }
        if let host = parts[0].string, !host.isEmpty, host != "?" { return .tcp(host: host, port: Int(port)) }
        guard case .tcp(let host, _) = address else { return .tcp(host: "localhost", port: Int(port)) }
        return .tcp(host: host, port: Int(port))
    }
}
