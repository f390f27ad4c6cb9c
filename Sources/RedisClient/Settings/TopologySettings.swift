import StageKit

/// The encryption of the connections to sentinels.
public enum SentinelEncryption: Sendable, Hashable {
    /// The same encryption as for the server. Sentinels need it because their answer determines which server receives
    /// the password.
    case likeServer
    /// Encryption with these settings, or plaintext if `nil`.
    case own(TLSSettings?)

    /// The setting type: a mapping, `true` or `false`.
    static let type = TLSSettings.type.map { SentinelEncryption.own($0) }
}

/// The sentinels that know the master.
public struct SentinelSettings: Sendable, Hashable {
    /// The master's name in the sentinels' configuration.
    public var master = ""
    /// The sentinels' addresses.
    public var addresses: [RedisAddress] = []
    /// The ACL user for the sentinels, or `nil` for the default user.
    public var username: String?
    /// The password for the sentinels, or `nil` if there is none.
    public var password: Secret?
    /// A file with the password for the sentinels, read for each connection, or `nil`.
    public var passwordFile: String?
    /// The encryption of the connections to the sentinels.
    public var tls = SentinelEncryption.likeServer
    /// The interval at which the sentinels are asked for the current master.
    public var checkInterval = Duration.seconds(1)

    /// The minimum interval: each check opens a connection to a sentinel.
    static let minimumInterval = Duration.milliseconds(50)

    /// Creates settings without a sentinel.
    public init() {}

    static let schema = SettingsSchema(
        SentinelSettings(),
        [
            .required("master", \.master, .nonBlankText, "Name of the master, as configured in the sentinels."),
            .required(
                "addresses", \.addresses, .list(of: .redisAddress, minimum: 1),
                "Addresses of one or more sentinels."),
            .optional("username", \.username, .given, "ACL user of the sentinels; without it, the default user."),
            .optional("password", \.password, .givenSecret, "Password of the sentinels, if they require one."),
            .optional(
                "password_file", \.passwordFile, .given, "File with this password, read at each connection attempt."),
            .optional(
                "tls", \.tls, SentinelEncryption.type, default: "that of redis.tls",
                "Encryption of the connections to the sentinels: true, false, or a mapping as in redis.tls."),
            .optional(
                "check_interval", \.checkInterval, .duration(minimum: Self.minimumInterval), default: "1s",
                "Interval at which a sentinel is asked for the master, so that a failover is detected even if "
                    + "the old master still answers."),
        ])

    /// The setting type of the mapping.
    static let type = SettingType<SentinelSettings>(shape: .object(Self.schema.descriptions)) { node, issues in
        guard let settings = Self.schema.decode(node, &issues) else { return nil }
        if settings.password != nil, settings.passwordFile != nil {
            issues.add(
                "password and password_file are both given: keep one of them",
                at: node["password_file"]?.position ?? node.position)
            return nil
        }
        if settings.username != nil, settings.password == nil, settings.passwordFile == nil {
            issues.add(
                "username without password: add password or password_file",
                at: node["username"]?.position ?? node.position)
            return nil
        }
        return settings
    }

    /// Returns whether the sentinels use plaintext although the server uses TLS. An attacker who answers in their place
    /// could then choose the server that receives the password.
    func isWeaker(than server: RedisSettings) -> Bool { self.tls == .own(nil) && server.tls != nil }

    /// Returns the settings for one sentinel, with the timeouts of the server.
    func settings(for address: RedisAddress, like server: RedisSettings) -> RedisSettings {
        var settings = RedisSettings(address: address)
        settings.username = self.username
        settings.password = self.password
        settings.passwordFile = self.passwordFile
        settings.tls =
            switch self.tls {
            case .likeServer: server.tls
            case .own(let tls): tls
            }
        settings.timeout = server.timeout
        settings.connectTimeout = server.connectTimeout
        settings.clientName.pipeline = server.clientName.pipeline
        settings.credentialTimeout = server.credentialTimeout
        return settings
    }
}

/// The settings of a cluster.
public struct ClusterSettings: Sendable, Hashable {
    /// The addresses of some of its servers, which are asked for all others.
    public var addresses: [RedisAddress] = []

    /// Creates settings without a server.
    public init() {}

    /// The setting type of the mapping.
    static let type = SettingType<ClusterSettings>.object(
        SettingsSchema(
            ClusterSettings(),
            [
                .required(
                    "addresses", \.addresses, .list(of: .redisAddress, minimum: 1),
                    "Addresses of some servers of the cluster; they report the others.")
            ]))
}
