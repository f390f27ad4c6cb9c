public import ComponentKit
public import StageKit

/// The address and credentials of a server: the file's top-level section `redis`.
public struct RedisSettings: Sendable, Hashable {
    /// The server's address. With `sentinel` or `cluster`, the first address in that list.
    public var address: RedisAddress
    /// The sentinels that know the master, or `nil` if `sentinel` is not set.
    public var sentinel: SentinelSettings?
    /// The cluster, or `nil` if `cluster` is not set.
    public var cluster: ClusterSettings?
    /// The ACL user, or `nil` for the default user.
    public var username: String?
    /// The password, or `nil` if there is none.
    public var password: Secret?
    /// A file with the password, read for each connection, or `nil`.
    public var passwordFile: String?
    /// The database number.
    public var database = 0
    /// The encryption, or `nil` for plaintext.
    public var tls: TLSSettings?
    /// How long the server may be silent while a command waits for its reply; also applies to the login. Reads use the
    /// source's `readBlock` and `readMargin` instead.
    public var timeout = Duration.milliseconds(250)
    /// The total time for the name lookup, the TCP connection and the TLS handshake.
    public var connectTimeout = Duration.seconds(2)
    /// How long a run that was connected before retries while its credentials fail: a refused login, a certificate that
    /// is not trusted, a password or certificate file that cannot be used. Then it ends. Zero ends it immediately.
    public var credentialTimeout = Self.defaultCredentialTimeout

    /// The default of `credentialTimeout`. A rotation takes up to a few minutes (the kubelet, for example, updates
    /// mounted secrets every minute or two), and an operator who is paged needs some more to correct a mistake. After
    /// that, a worker whose credentials were revoked for good should report an error instead of appearing alive.
    public static let defaultCredentialTimeout = Duration.seconds(15 * 60)

    /// The name of the connections on the server.
    public var clientName = ClientName()

    /// Creates settings without credentials or encryption.
    public init(address: RedisAddress) {
        self.address = address
    }

    static let schema = SettingsSchema(
        RedisSettings(address: .tcp(host: "localhost", port: 6379)),
        [
            .optional(
                "address", \.address, .redisAddress,
                "Address of the server: host:port, [v6]:port, :port, unix:/path or /path."),
            .optional(
                "sentinel", \.sentinel, .optional(SentinelSettings.type),
                "Sentinels that know the master."),
            .optional("cluster", \.cluster, .optional(ClusterSettings.type), "Cluster that has the keys."),
            .optional("username", \.username, .given, "ACL user; without it, the default user."),
            .optional("password", \.password, .givenSecret, "The password."),
            .optional(
                "password_file", \.passwordFile, .given, "File with the password, read at each connection attempt."),
            .optional(
                "database", \.database, .integer(0...Int(Int32.max)), default: "0",
                "Number of the database. In a cluster, one other than 0 needs Valkey 9 with cluster-databases."),
            .optional(
                "tls", \.tls, TLSSettings.type, default: "false",
                "Encryption: true to trust the system's CA bundle, or a mapping. Chain and name are always verified."),
            .optional(
                "timeout", \.timeout, .duration(minimum: .milliseconds(1)), default: "250ms",
                "Maximum silence of the server while a command waits for its reply, including the login."),
            .optional(
                "connect_timeout", \.connectTimeout, .duration(minimum: .milliseconds(1)), default: "2s",
                "Time limit for name lookup, connecting and the TLS handshake together."),
            .optional(
                "credential_timeout", \.credentialTimeout, .duration(minimum: .zero), default: "15m",
                "How long a worker that was connected before retries if its login is refused, a certificate is not trusted, "
                    + "or a password or certificate file cannot be used; then the run ends. At start, these end it "
                    + "immediately."),
        ], alternatives: [.exactlyOne("address", "sentinel", "cluster")])

    /// The setting type of the section.
    public static let type = SettingType<RedisSettings>(shape: .object(Self.schema.descriptions)) { node, issues in
        guard var settings = Self.schema.decode(node, &issues) else { return nil }
        let before = issues.all.count
        Self.checkPlace(&settings, node, &issues)
        if settings.password != nil, settings.passwordFile != nil {
            issues.add(
                "password and password_file are both given: keep one of them",
                at: node["password_file"]?.position ?? node.position)
        }
        if settings.username != nil, settings.password == nil, settings.passwordFile == nil {
            issues.add(
                "username without password: add password or password_file",
                at: node["username"]?.position ?? node.position)
        }
        if settings.tls != nil, settings.sentinel == nil, case .unix = settings.address {
            issues.add(
                "a Unix socket does not support TLS: set tls to false", at: node["tls"]?.position ?? node.position)
        }
        return issues.all.count == before ? settings : nil
    }

    /// Adds an error if the file names no server, or names it in more than one way.
    private static func checkPlace(_ settings: inout RedisSettings, _ node: SettingNode, _ issues: inout SettingIssues)
    {
        let given = ["address", "sentinel", "cluster"].compactMap { name in node[name].map { (name, $0.position) } }
        if given.isEmpty {
            issues.add("missing setting \"address\" (or sentinel, or cluster)", at: node.position)
        }
        for (name, position) in given.dropFirst() {
            issues.add("\(given[0].0) and \(name) are both given: keep one of them", at: position)
        }
        let first = settings.sentinel?.addresses.first ?? settings.cluster?.addresses.first
        if let first { settings.address = first }
    }

    /// Returns the settings for one of the servers.
    func settings(for address: RedisAddress) -> RedisSettings {
        var settings = self
        (settings.address, settings.sentinel, settings.cluster) = (address, nil, nil)
        return settings
    }

    /// Adds warnings about the section `redis`, or about other settings of the same form.
    package func warn(_ node: SettingNode, _ warnings: inout SettingIssues) {
        guard let sentinel = self.sentinel, sentinel.isWeaker(than: self) else { return }
        warnings.add(
            "sentinel: tls is false although redis.tls is on: an impostor of a sentinel could choose the server that "
                + "receives the password; remove tls here to use TLS", at: (node["sentinel"]?["tls"] ?? node).position)
    }

    /// The section's entry in the catalogue.
    public static let section = SectionType(
        name: "redis", summary: "The Redis server: address, login and timeouts.", settings: Self.type)
}

extension SettingType where Value == RedisAddress {
    /// The setting type of an address.
    static var redisAddress: SettingType<RedisAddress> {
        let text = SettingType<String>.text.map { (text) throws(SettingRefusal) in try RedisAddress(text) }
        // A regular expression is less exact than the parser: it accepts a path, or a host and a port without
        // characters that belong elsewhere.
        let pattern = #"^\s*((unix:)?/.*|(\[[^\]\s]*:[^\]\s]*\]|[^\s:/@\[\]]*):[0-9]{1,5})\s*$"#
        return SettingType(
            shape: .form("host:port, [v6]:port, :port, unix:/path or /path", pattern: pattern), decode: text.decode)
    }
}

extension SettingType where Value == Secret? {
    /// The setting type of a secret, in which empty text means `nil`.
    static var givenSecret: SettingType<Secret?> {
        let text = SettingType<String?>.given.map { (text) throws(SettingRefusal) in text.map { Secret($0) } }
        return SettingType(shape: .secret, decode: text.decode)
    }
}
