import StageKit

/// How the connections to sentinels are encrypted.
public enum SentinelEncryption: Sendable, Equatable {
    /// As the connections to the server are: what a sentinel says decides which server gets the password.
    case likeServer
    /// In a way of their own; `nil` for not at all.
    case own(TLSSettings?)

    /// What the file says; a mapping, `true` or `false`.
    static let type = TLSSettings.type.map { SentinelEncryption.own($0) }
}

/// Which sentinels know where the master is.
public struct SentinelSettings: Sendable, Equatable {
    /// What the sentinels call the master.
    public var master = ""
    /// Where they listen.
    public var addresses: [RedisAddress] = []
    /// Their ACL user; nil for the default user.
    public var username: String?
    /// Their password; nil for none.
    public var password: Secret?
    /// A file with their password, read for each connection; nil for none.
    public var passwordFile: String?
    /// Encryption of the connections to them.
    public var tls = SentinelEncryption.likeServer
    /// How often they are asked whether the master is still the same.
    public var checkInterval = Duration.seconds(1)

    /// The shortest interval: each look is a connection to a sentinel.
    static let minimumInterval = Duration.milliseconds(50)

    /// No sentinel yet.
    public init() {}

    static let schema = SettingsSchema(
        SentinelSettings(),
        [
            .required("master", \.master, .nonBlankText, "What the sentinels call the master."),
            .required(
                "addresses", \.addresses, .list(of: .redisAddress, minimum: 1),
                "Where the sentinels listen, one or more of them."),
            .optional("username", \.username, .given, "Their ACL user; the default user where left out."),
            .optional("password", \.password, .givenSecret, "Their password, where they have one."),
            .optional("password_file", \.passwordFile, .given, "A file with it, read when connecting."),
            .optional(
                "tls", \.tls, SentinelEncryption.type, default: "that of redis.tls",
                "Encryption of the connections to them: true, false, or a mapping as in redis.tls."),
            .optional(
                "check_interval", \.checkInterval, .duration(minimum: Self.minimumInterval), default: "1s",
                "How often they are asked whether the master is still the same, so that a failover is noticed even where "
                    + "the old master still answers."),
        ])

    /// How they are read.
    static let type = SettingType<SentinelSettings>(shape: .object(Self.schema.descriptions)) { node, issues in
        guard let settings = Self.schema.decode(node, &issues) else { return nil }
        if settings.password != nil, settings.passwordFile != nil {
            issues.add(
                "password and password_file are both given: keep one of them",
                at: node["password_file"]?.mark ?? node.mark)
            return nil
        }
        if settings.username != nil, settings.password == nil, settings.passwordFile == nil {
            issues.add(
                "username without a password: add password or password_file", at: node["username"]?.mark ?? node.mark)
            return nil
        }
        return settings
    }

    /// Whether they are asked in the clear although the server is not: who answers in their place decides which server gets
    /// the password.
    func isWeaker(than server: RedisSettings) -> Bool { self.tls == .own(nil) && server.tls != nil }

    /// How to reach one of them, with the times of the server's own settings.
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
        return settings
    }
}

/// Which servers of a cluster tell where the others are.
public struct ClusterSettings: Sendable, Equatable {
    /// Some of its servers, to begin with.
    public var addresses: [RedisAddress] = []

    /// No server yet.
    public init() {}

    /// How they are read.
    static let type = SettingType<ClusterSettings>.object(
        SettingsSchema(
            ClusterSettings(),
            [
                .required(
                    "addresses", \.addresses, .list(of: .redisAddress, minimum: 1),
                    "Some of its servers; they tell where the others are.")
            ]))
}
