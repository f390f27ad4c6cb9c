import RESP

/// Asks servers one after the other until one has the answer, and collects their errors. Does no I/O.
struct Inquiry: Sendable {
    private var waiting: [RedisAddress] = []
    private var complaints: [(address: RedisAddress, error: RedisError)] = []

    /// Creates an inquiry that asks each server once, in this order.
    init(_ candidates: [RedisAddress]) {
        for address in candidates where !self.waiting.contains(address) { self.waiting.append(address) }
        self.waiting.reverse()
    }

    /// Returns the next server to ask, or `nil` if all were asked.
    mutating func next() -> RedisAddress? { self.waiting.popLast() }

    /// Records that a server did not have the answer.
    mutating func failed(_ address: RedisAddress, _ error: RedisError) {
        self.complaints.append((address, error))
    }

    /// Returns the error if no server had the answer. It is transient if at least one of the collected errors is.
    func failure(_ what: String) -> RedisError {
        let texts = self.complaints.map { complaint in
            let message = complaint.error.message
            return message.hasPrefix("\(complaint.address)") ? message : "\(complaint.address): \(message)"
        }
        // A server that is only unreachable may return and accept the credentials, so the time for refused credentials
        // counts only if all servers refuse them.
        let first =
            self.complaints.first { $0.error.isTransient && $0.error.credentials == nil }
            ?? self.complaints.first { $0.error.isTransient } ?? self.complaints.first
        return RedisError(
            first?.error.code ?? .unavailable, "\(what): \(texts.joined(separator: "; "))",
            isTransient: first?.error.isTransient ?? true, credentials: first?.error.credentials)
    }
}

/// Reads the answers of sentinels and servers about the current master.
///
/// Source: Redis documentation, "Sentinel client spec", and the commands SENTINEL GET-MASTER-ADDR-BY-NAME and ROLE.
enum MasterAnswer {
    /// Returns the command that asks a sentinel for the master.
    static func question(_ master: String) -> RESPCommand {
        RESPCommand("SENTINEL", "GET-MASTER-ADDR-BY-NAME", master)
    }

    /// Returns the address in a sentinel's answer.
    ///
    /// - Throws: `RedisError` if the sentinel does not know the master, or the answer has an unexpected form.
    static func address(_ answer: RESPValue, of master: String) throws(RedisError) -> RedisAddress {
        switch answer {
        case .error(let text): throw .answer(text, to: "SENTINEL")
        case .null:
            throw RedisError(
                .badSettings, "this sentinel knows no master \"\(master)\": see redis.sentinel.master",
                isTransient: false, credentials: CredentialFailure(.login))
        default: break
        }
        guard let parts = answer.array, parts.count == 2, let host = parts[0].string, !host.isEmpty,
            let port = parts[1].integer, (1...65535).contains(port)
        else { throw .unexpectedAnswer(to: "SENTINEL", "expected a host and a port") }
        return .tcp(host: host, port: Int(port))
    }

    /// Checks a server's answer to ROLE.
    ///
    /// - Throws: `RedisError` if the server does not report that it is a master.
    static func confirm(_ role: RESPValue, by address: RedisAddress) throws(RedisError) {
        if case .error(let text) = role { throw .answer(text, to: "ROLE") }
        guard let word = role.array?.first?.string else {
            throw .unexpectedAnswer(to: "ROLE", "expected a role")
        }
        guard word == "master" else {
            throw RedisError(
                .unavailable, "\(address): the sentinels report it as the master, but its role is \(word)",
                isTransient: true)
        }
    }
}
