import RESP

/// The product and version that a server reports about itself, in its replies to INFO and HELLO. Pure.
struct ServerProduct: Equatable {
    /// The name of the product, such as `Valkey`.
    var name: String
    /// The version of the product, or `nil` if it is not reported.
    var version: String?
    /// The version of Redis that the server is compatible with, or `nil` if it is not reported.
    var redisVersion: String?
    /// The mode, such as `standalone` or `cluster`, or `nil` if it is not reported.
    var mode: String?
    /// The role, such as `master` or `slave`, or `nil` if it is not reported.
    var role: String?

    /// Products that report their version as `NAME_version`, beside the `redis_version` that they are compatible with.
    /// Valkey and newer products also report their name (`server_name` in INFO, `server` in HELLO).
    private static let versioned = ["valkey", "keydb", "dragonfly", "garnet", "kvrocks"]
    /// The spelling of names that products report in lower case.
    private static let spellings = [
        "redis": "Redis", "valkey": "Valkey", "keydb": "KeyDB", "dragonfly": "Dragonfly", "garnet": "Garnet",
        "kvrocks": "Kvrocks",
    ]
    /// The maximum length of a reported text, in characters, because the server chooses it.
    private static let textLimit = 64

    /// Creates a product.
    init(name: String, version: String?, redisVersion: String?, mode: String? = nil, role: String? = nil) {
        (self.name, self.version, self.redisVersion, self.mode, self.role) = (name, version, redisVersion, mode, role)
    }

    /// Reads the replies to INFO and HELLO; returns `nil` if neither contains a version. HELLO needs no permission, so
    /// it has an answer if the user may not use INFO.
    init?(information: RESPValue?, hello: RESPValue?) {
        let facts = Self.facts(information)
        let greeting = Self.facts(ofHello: hello)
        guard facts["redis_version"] != nil || greeting["version"] != nil else { return nil }
        let greeted = greeting["server"].flatMap { $0.lowercased() == "redis" ? nil : $0 }
        let reported = facts["server_name"] ?? greeted ?? Self.versioned.first { facts["\($0)_version"] != nil }
        let name = reported ?? "redis"
        let isGreeting = greeting["server"]?.lowercased() == name.lowercased()
        self.name = Self.spellings[name.lowercased()] ?? name
        self.version = facts["\(name.lowercased())_version"] ?? (isGreeting ? greeting["version"] : nil)
        self.redisVersion = facts["redis_version"] ?? (greeting["server"] == "redis" ? greeting["version"] : nil)
        self.mode = facts["redis_mode"] ?? facts["server_mode"] ?? greeting["mode"]
        self.role = facts["role"] ?? greeting["role"]
    }

    /// The name, version, mode and role, for messages. `redis_version` is included for other products, because it shows
    /// which commands they have.
    var text: String {
        let known = [self.name, self.version].compactMap(\.self).joined(separator: " ")
        let compatible = self.name == "Redis" ? nil : self.redisVersion.map { " (redis_version \($0))" }
        return [known + (compatible ?? ""), self.mode, self.role].compactMap(\.self).joined(separator: ", ")
    }

    /// The first two numbers of `redis_version`, or `nil` if they are not known.
    var redisNumbers: (major: Int, minor: Int)? {
        let parts = (self.redisVersion ?? "").split(separator: ".").map { Int($0) }
        guard let major = parts.first ?? nil else { return nil }
        return (major, parts.count > 1 ? parts[1] ?? 0 : 0)
    }

    /// Whether the server follows another one.
    var isReplica: Bool { self.role == "slave" || self.role == "replica" }

    private static func facts(_ information: RESPValue?) -> [String: String] {
        var facts: [String: String] = [:]
        for line in (information?.string ?? "").split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { facts[String(parts[0])] = self.printable(parts[1]) }
        }
        return facts
    }

    private static func facts(ofHello hello: RESPValue?) -> [String: String] {
        let members = hello?.array ?? []
        var facts: [String: String] = [:]
        for index in stride(from: 0, to: members.count - 1, by: 2) {
            guard let name = members[index].string, let value = members[index + 1].string else { continue }
            facts[name] = self.printable(value[...])
        }
        return facts
    }

    /// Returns a reported text, truncated and restricted to printable ASCII.
    private static func printable(_ text: Substring) -> String {
        String(
            text.unicodeScalars.prefix(self.textLimit).map { (" "..."~").contains($0) ? Character($0) : "?" })
    }
}
