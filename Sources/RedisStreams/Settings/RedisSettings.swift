public import StageKit

/// How to reach a server and log in: the file's top-level section `redis`.
public struct RedisSettings: Sendable, Equatable {
    /// Where the server listens; with `sentinel` or `cluster`, the first of those to ask where servers are.
    public var address: RedisAddress
    /// The sentinels that know where the master is; nil where the server's address is given.
    public var sentinel: SentinelSettings?
    /// The cluster; nil where there is one server.
    public var cluster: ClusterSettings?
    /// The ACL user; nil for the default user.
    public var username: String?
    /// The password; nil for none.
    public var password: Secret?
    /// A file with the password, read for each connection; nil for none.
    public var passwordFile: String?
    /// The number of the database.
    public var database = 0
    /// Encryption; nil for none.
    public var tls: TLSSettings?
    /// How long the server may be silent while a command waits for its reply, login and PING included. Reads have
    /// `readBlock` and `readMargin` of the source instead.
    public var timeout = Duration.milliseconds(250)
    /// The time that name look-up, TCP and TLS handshake have together.
    public var connectTimeout = Duration.seconds(2)

    /// A server without log-in or encryption.
    public init(address: RedisAddress) {
        self.address = address
    }

    static let schema = SettingsSchema(
        RedisSettings(address: .tcp(host: "localhost", port: 6379)),
        [
            .optional(
                "address", \.address, .redisAddress,
                "Where the server listens: host:port, [v6]:port, :port, unix:/path or /path. One of address, sentinel and "
                    + "cluster must be there."),
            .optional(
                "sentinel", \.sentinel, .optional(SentinelSettings.type),
                "The sentinels that know where the master is."),
            .optional("cluster", \.cluster, .optional(ClusterSettings.type), "The cluster that has the keys."),
            .optional("username", \.username, .given, "The ACL user; the default user where left out."),
            .optional("password", \.password, .givenSecret, "The password."),
            .optional("password_file", \.passwordFile, .given, "A file with the password, read when connecting."),
            .optional("database", \.database, .integer(0...Int(Int32.max)), default: "0", "The database's number."),
            .optional(
                "tls", \.tls, TLSSettings.type, default: "false",
                "Encryption: true for the system's authorities, or a mapping. Chain and name are always verified."),
            .optional(
                "timeout", \.timeout, .duration(minimum: .milliseconds(1)), default: "250ms",
                "How long the server may be silent while a command waits for its reply, login included."),
            .optional(
                "connect_timeout", \.connectTimeout, .duration(minimum: .milliseconds(1)), default: "2s",
                "The time that name look-up, connecting and the TLS handshake have together."),
        ])

    /// How the section is read.
    public static let type = SettingType<RedisSettings>(shape: .object(Self.schema.descriptions)) { node, issues in
        guard var settings = Self.schema.decode(node, &issues) else { return nil }
        let before = issues.all.count
        Self.checkPlace(&settings, node, &issues)
        if settings.password != nil, settings.passwordFile != nil {
            issues.add(
                "password and password_file are both given: keep one of them",
                at: node["password_file"]?.mark ?? node.mark)
        }
        if settings.username != nil, settings.password == nil, settings.passwordFile == nil {
            issues.add(
                "username without a password: add password or password_file", at: node["username"]?.mark ?? node.mark)
        }
        if settings.tls != nil, settings.sentinel == nil, case .unix = settings.address {
            issues.add("a Unix socket has no TLS: set tls to false", at: node["tls"]?.mark ?? node.mark)
        }
        return issues.all.count == before ? settings : nil
    }

    /// Says what is wrong with where the server is.
    private static func checkPlace(_ settings: inout RedisSettings, _ node: SettingNode, _ issues: inout SettingIssues)
    {
        let given = ["address", "sentinel", "cluster"].compactMap { name in node[name].map { (name, $0.mark) } }
        if given.isEmpty {
            issues.add("missing setting \"address\" (or sentinel, or cluster)", at: node.mark)
        }
        for (name, mark) in given.dropFirst() {
            issues.add("\(given[0].0) and \(name) are both given: keep one of them", at: mark)
        }
        if settings.cluster != nil, settings.database != 0 {
            issues.add("a cluster has database 0 alone: leave database out", at: node["database"]?.mark ?? node.mark)
        }
        let first = settings.sentinel?.addresses.first ?? settings.cluster?.addresses.first
        if let first { settings.address = first }
    }

    /// The settings of one server of those that these name.
    func settings(for address: RedisAddress) -> RedisSettings {
        var settings = self
        (settings.address, settings.sentinel, settings.cluster) = (address, nil, nil)
        return settings
    }

    /// Adds what a person may have overlooked in the section `redis`, or in settings of the same form.
    package func warn(_ node: SettingNode, _ warnings: inout SettingIssues) {
        guard let sentinel = self.sentinel, sentinel.isWeaker(than: self) else { return }
        warnings.add(
            "sentinel: tls is false although redis.tls is on: who answers in place of a sentinel decides which server "
                + "gets the password; leave it out to use TLS", at: (node["sentinel"]?["tls"] ?? node).mark)
    }

    /// The section for the catalogue.
    public static let section = SectionType(
        name: "redis", summary: "The Redis server: where it is, how to log in, how long to wait.", settings: Self.type)
}

extension SettingType where Value == RedisAddress {
    /// An address in one of its forms.
    static var redisAddress: SettingType<RedisAddress> {
        let text = SettingType<String>.text.map { (text) throws(SettingRefusal) in try RedisAddress(text) }
        // What an expression tells of it: a path, or a host without signs that belong elsewhere and a port.
        let pattern = #"^\s*((unix:)?/.*|(\[[^\]\s]*:[^\]\s]*\]|[^\s:/@\[\]]*):[0-9]{1,5})\s*$"#
        return SettingType(
            shape: .form("host:port, [v6]:port, :port, unix:/path or /path", pattern: pattern), decode: text.decode)
    }
}

extension SettingType where Value == Secret? {
    /// A secret, where empty text is the same as none.
    static var givenSecret: SettingType<Secret?> {
        let text = SettingType<String?>.given.map { (text) throws(SettingRefusal) in text.map { Secret($0) } }
        return SettingType(shape: .secret, decode: text.decode)
    }
}
