public import StageKit

/// How to reach a server and log in: the file's top-level section `redis`.
public struct RedisSettings: Sendable, Equatable {
    /// Where the server listens.
    public var address: RedisAddress
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
    /// The time each command has, log-in and PING included; a blocking read has its block on top.
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
            .required(
                "address", \.address, .redisAddress,
                "Where the server listens: host:port, [v6]:port, :port, unix:/path or /path."),
            .optional("username", \.username, .given, "The ACL user; the default user where left out."),
            .optional("password", \.password, .givenSecret, "The password."),
            .optional("password_file", \.passwordFile, .given, "A file with the password, read when connecting."),
            .optional("database", \.database, .integer(0...Int(Int32.max)), default: "0", "The database's number."),
            .optional(
                "tls", \.tls, TLSSettings.type, default: "false",
                "Encryption: true for the system's authorities, or a mapping. Chain and name are always verified."),
            .optional(
                "timeout", \.timeout, .duration(minimum: .milliseconds(1)), default: "250ms",
                "The time each command has, log-in included."),
            .optional(
                "connect_timeout", \.connectTimeout, .duration(minimum: .milliseconds(1)), default: "2s",
                "The time that name look-up, connecting and the TLS handshake have together."),
        ])

    /// How the section is read.
    public static let type = SettingType<RedisSettings>(shape: .object(Self.schema.descriptions)) { node, issues in
        guard let settings = Self.schema.decode(node, &issues) else { return nil }
        let before = issues.all.count
        if settings.password != nil, settings.passwordFile != nil {
            issues.add(
                "password and password_file are both given: keep one of them",
                at: node["password_file"]?.mark ?? node.mark)
        }
        if settings.username != nil, settings.password == nil, settings.passwordFile == nil {
            issues.add(
                "username without a password: add password or password_file", at: node["username"]?.mark ?? node.mark)
        }
        if settings.tls != nil, case .unix = settings.address {
            issues.add("a Unix socket has no TLS: set tls to false", at: node["tls"]?.mark ?? node.mark)
        }
        return issues.all.count == before ? settings : nil
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
