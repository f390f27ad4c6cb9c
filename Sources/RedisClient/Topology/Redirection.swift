/// A cluster server's answer that names the server to ask instead.
///
/// Source: Redis cluster specification, "Redirection and resharding".
package struct Redirection: Sendable, Equatable {
    /// How long a redirection is valid.
    enum Kind: Sendable, Equatable {
        /// Valid from now on: the slot belongs to another server.
        case moved
        /// Valid for this command, which must follow `ASKING`: the slot is being migrated to another server.
        case ask
    }

    /// The maximum number of redirections of one command, or of one reader without an answer in between. A command
    /// needs two while a slot migrates. If the cluster's servers disagree for longer, the cluster is asked again after
    /// a delay.
    package static let limit = 5

    /// How long the redirection is valid.
    var kind: Kind
    /// The key's slot.
    var slot: HashSlot
    /// The host of the server to ask, or `nil` if it is the host that sent the answer.
    var host: String?
    /// The port of the server to ask.
    var port: Int

    /// Parses `MOVED 3999 127.0.0.1:6381` or `ASK 3999 :6381`. Returns `nil` for any other text.
    package init?(_ text: String) {
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
        // An IPv6 address has no brackets; the port follows the last colon.
        let host = parts[2][..<colon]
        self.host = host.isEmpty || host == "?" ? nil : String(host)
    }

    /// Returns the address of the server to ask, given the address of the server that answered.
    func address(toldBy address: RedisAddress) -> RedisAddress {
        if let host = self.host { return .tcp(host: host, port: self.port) }
        guard case .tcp(let host, _) = address else { return .tcp(host: "localhost", port: self.port) }
        return .tcp(host: host, port: self.port)
    }
}
