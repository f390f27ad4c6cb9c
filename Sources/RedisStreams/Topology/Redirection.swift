/// The answer of a cluster's server that does not have a key: which one to ask.
///
/// Source: Redis cluster specification, "Redirection and resharding".
struct Redirection: Sendable, Equatable {
    /// For how long it holds.
    enum Kind: Sendable, Equatable {
        /// From now on: the slot belongs to another server.
        case moved
        /// For this command, which `ASKING` has to precede: the slot is on its way to another server.
        case ask
    }

    /// The most redirections of one command, or of one reader without an answer in between: while a slot moves a command
    /// needs two, and a cluster whose servers disagree for longer is asked again after a wait.
    static let limit = 5

    /// For how long it holds.
    var kind: Kind
    /// The key's slot.
    var slot: HashSlot
    /// The server to ask; nil where it is the answering server's own host, whose address is then `port` there.
    var host: String?
    /// The port.
    var port: Int

    /// Reads `MOVED 3999 127.0.0.1:6381` and `ASK 3999 :6381`; nil for any other text.
    init?(_ text: String) {
        let parts = text.split(separator: " ")
        guard parts.count >= 3, let number = UInt16(parts[1]), let slot = HashSlot(number),
            let colon = parts[2].lastIndex(of: ":"),
            let port = Int(parts[2][parts[2].index(after: colon)...]), (1...65535).contains(port)
        else { return nil }
        switch parts[0] {
        case "MOVED": self.kind = .moved
        case "ASK": self.kind = .ask
        default: return nil
        }
        self.slot = slot
        self.port = port
        // IPv6 comes without brackets: the port is behind the last colon.
        let host = parts[2][..<colon]
        self.host = host.isEmpty || host == "?" ? nil : String(host)
    }

    /// Where to ask, as told by the server at `address`.
    func address(toldBy address: RedisAddress) -> RedisAddress {
        if let host = self.host { return .tcp(host: host, port: self.port) }
        guard case .tcp(let host, _) = address else { return .tcp(host: "localhost", port: self.port) }
        return .tcp(host: host, port: self.port)
    }
}
