import ComponentKit
import RESP
import RedisClient

/// Interprets a server's replies for `sluice check`. Pure.
enum ServerAnswers {
    /// Returns the steps that follow from a failed connection: the successful ones before it, and the failure.
    static func refused(_ error: RedisError, _ settings: RedisSettings) -> [CheckStep] {
        let reached = CheckStep("network", .good, "\(settings.address) accepts connections")
        let failure: (String) -> CheckStep = { CheckStep($0, .bad, error.message) }
        switch error.code {
        case .connectFailed, .timedOut, .closed, .protocolViolation, .unavailable, .outOfMemory, .tooManyCommands,
            .replyTooLarge:
            let advice = "check that a server listens there: compare redis.address with the address that redis-cli uses"
            return [CheckStep("network", .bad, error.message, advice: advice)]
        case .tls: return [reached, failure("encryption")]
        case .badSettings where error.message.hasPrefix("redis.tls"): return [failure("encryption")]
        case .authentication, .permission, .unknownCommand, .badSettings, .serverError, .wrongType, .gap,
            .valueTooLarge, .noGroup, .scriptMissing, .moved:
            return [reached, self.encryption(settings), failure("login")]
        }
    }

    /// Returns the step that reports the server's address and its origin.
    static func reached(_ address: RedisAddress, _ settings: RedisSettings) -> CheckStep {
        if let sentinel = settings.sentinel {
            return CheckStep(
                "network", .good, "the sentinels report \(address) as \(sentinel.master); it accepts connections")
        }
        let place = settings.cluster == nil ? "" : ", the cluster server of the stream,"
        return CheckStep("network", .good, "\(address)\(place) accepts connections")
    }

    /// Returns the step that reports the encryption of the connection.
    static func encryption(_ settings: RedisSettings) -> CheckStep {
        if settings.tls != nil {
            guard let sentinel = settings.sentinel else {
                return CheckStep("encryption", .good, "TLS, chain and name verified")
            }
            return sentinel.tls == .own(nil)
                ? CheckStep(
                    "encryption", .warning,
                    "TLS, chain and name verified; connections to the sentinels are not encrypted",
                    advice: "remove redis.sentinel.tls, so that an impostor of a sentinel cannot choose the server")
                : CheckStep("encryption", .good, "TLS, chain and name verified, including the sentinels")
        }
        guard case .tcp(let host, _) = settings.address, !self.isThisMachine(host) else {
            return CheckStep("encryption", .good, "none, connection within this machine")
        }
        let hasPassword = settings.password != nil || settings.passwordFile != nil
        return CheckStep(
            "encryption", .warning,
            hasPassword ? "none: the password and all entries are sent unencrypted" : "none",
            advice: "set redis.tls if the network is not trusted")
    }

    private static func isThisMachine(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// Returns the step that reports the user, from the reply to ACL WHOAMI.
    static func login(_ answer: RESPValue?, _ settings: RedisSettings) -> CheckStep {
        let user = answer?.string ?? settings.username ?? "the default user"
        return CheckStep("login", .good, "as \(user), database \(settings.database)")
    }

    /// Returns the step that reports the product, version, mode and role of the server, from the replies to INFO and
    /// HELLO; `isShared` if the workers of a group use the server.
    static func server(_ information: RESPValue?, hello: RESPValue? = nil, isShared: Bool = false) -> CheckStep {
        guard let product = ServerProduct(information: information, hello: hello) else {
            return CheckStep("server", .unknown, "unknown version: no usable reply to INFO and HELLO")
        }
        let finding = product.text
        if let version = product.redisNumbers, version.major < 5 {
            return CheckStep("server", .bad, finding, advice: "streams need Redis 5.0 or newer")
        }
        if isShared, let version = product.redisNumbers, version < (6, 2) {
            return CheckStep(
                "server", .bad, finding,
                advice: "a group needs Redis 6.2 or newer, which can claim abandoned entries (XAUTOCLAIM)")
        }
        if product.isReplica {
            return CheckStep(
                "server", .warning, "\(finding): a replica",
                advice:
                    "a replica can lag behind its master and refuses writes: use the master's address if that matters")
        }
        return CheckStep("server", .good, finding)
    }

    /// Returns the step that reports the stream's content, from the replies to TYPE and XINFO STREAM.
    ///
    /// - Parameter problem: The reason why there is no reply to XINFO STREAM.
    static func stream(
        _ name: String, type: RESPValue?, information: RESPValue?, problem: String? = nil
    ) -> CheckStep {
        switch type?.string {
        case "none":
            return CheckStep(
                "stream", .warning, "\(name) does not exist yet: the worker waits for its first entry",
                advice: "compare the name and redis.database with those of the producer")
        case let kind? where kind != "stream":
            return CheckStep(
                "stream", .bad, "\(name) holds a \(kind), not a stream",
                advice: "choose another key in source.redis_stream.stream, or delete this one")
        default: break
        }
        guard let members = information?.array else {
            return CheckStep(
                "stream", .unknown, "\(name): unknown content: \(problem ?? "no reply to XINFO STREAM")")
        }
        let facts = self.facts(members)
        let length = facts["length"]?.integer ?? 0
        guard length > 0 else {
            let last = facts["last-generated-id"]?.string.map { ", its last id was \($0)" } ?? ""
            return CheckStep("stream", .good, "\(name) is empty\(last)")
        }
        let ids = ["first-entry", "last-entry"].map { facts[$0]?.array?.first?.string ?? "?" }
        let finding = "\(name): \(length) entries, \(ids[0]) to \(ids[1])"
        for (place, id) in zip(["first-entry", "last-entry"], ids) {
            guard let size = self.largestLeftOut(of: facts[place]) else { continue }
            return CheckStep(
                "stream", .warning,
                "\(finding); entry \(id) has a value of \(size) bytes, which is too large to read",
                advice: "the entry fails with the reason value_too_large (on_oversized); limit the size of entries")
        }
        return CheckStep("stream", .good, finding)
    }

    /// Returns the size of the largest value that was omitted from an entry, or `nil` if none was.
    private static func largestLeftOut(of entry: RESPValue?) -> Int? {
        let fields = entry?.array?.last?.array ?? []
        return fields.compactMap { if case .tooLong(let bytes) = $0 { bytes } else { nil } }.max()
    }

    /// Returns the step that reports the state of a group, from the reply to XINFO GROUPS.
    static func group(_ name: String, _ answer: RESPValue?) -> CheckStep {
        let found = (answer?.array ?? []).lazy.compactMap(\.array).map(self.facts).first { $0["name"]?.string == name }
        guard let found else {
            return CheckStep("group", .good, "\(name) does not exist yet: the first worker creates it at start")
        }
        let consumers = found["consumers"]?.integer ?? 0
        let pending = found["pending"]?.integer ?? 0
        let lag = found["lag"]?.integer.map { "\($0) entries to deliver, " } ?? ""
        return CheckStep(
            "group", .good,
            "\(name) is at \(found["last-delivered-id"]?.string ?? "?"): \(lag)\(pending) pending, \(consumers) "
                + "workers "
                + "known")
    }

    /// Converts a flat list of names and values to a dictionary.
    private static func facts(_ members: [RESPValue]) -> [String: RESPValue] {
        var facts: [String: RESPValue] = [:]
        for index in stride(from: 0, to: members.count - 1, by: 2) {
            if let name = members[index].string { facts[name] = members[index + 1] }
        }
        return facts
    }
}
