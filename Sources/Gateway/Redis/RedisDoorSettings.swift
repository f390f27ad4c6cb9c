public import HTTPBase
import NIOSSL
public import StageKit

/// The settings `gateway.redis`.
public struct RedisDoorSettings: Sendable {
    /// The addresses to listen on.
    public var listen: [ListenAddress] = []
    /// The permissions of the Unix sockets, or `nil` for the default.
    public var mode: UInt32?
    /// The group of the Unix sockets, or `nil` for the worker's own.
    public var group: LocatedName?
    /// The file with the password that clients must send, or `nil` for none.
    public var passwordFile: LocatedName?
    /// TLS settings, or `nil` if connections are not encrypted.
    public var tls: ServerTLS?
    /// The prefix of the keys, or `nil` for the store's name and a colon.
    public var prefix: String?
    /// The channel of revocations, or `nil` for the default.
    public var channel: String?
    /// The number of threads that answer commands.
    public var threads = 1

    /// The schema of the settings.
    private static let schema = SettingsSchema(
        RedisDoorSettings(),
        [
            .required(
                "listen", \.listen, .list(of: ListenAddress.type, orSingle: true, minimum: 1),
                "Address or addresses. One that other machines reach needs password_file or tls with client_ca_file.")
        ] + SocketAccess.fields(\.mode, \.group) + [
            .optional(
                "password_file", \.passwordFile, .optional(.name),
                "A file with the password that clients send (AUTH); read again on SIGHUP."),
            .optional("tls", \.tls, .optional(ServerTLS.type), "How connections are encrypted."),
            .optional(
                "prefix", \.prefix, .optional(.nonBlankText), default: "the store's name and a colon",
                "Prefix of the keys, as in a redis store."),
            .optional(
                "channel", \.channel, .optional(.nonBlankText),
                default: "that of revocations, or the prefix and revocations",
                "Channel of revocations, evictions and resets, for SUBSCRIBE."),
            .optional(
                "threads", \.threads, .integer(GatewayLimits.threads), default: "1",
                "Threads that answer commands; one answers about 100,000 per second."),
        ])

    /// The setting type.
    static let type: SettingType<RedisDoorSettings> = {
        let object = SettingType<RedisDoorSettings>.object(Self.schema)
        return SettingType(shape: object.shape) { node, issues in
            guard let settings = object.decode(node, &issues) else { return nil }
            let count = issues.all.count
            settings.addresses.check(door: "redis", secret: "password_file", node, &issues)
            return issues.all.count == count ? settings : nil
        }
    }()

    /// The addresses, and what protects them.
    var addresses: DoorAddresses {
        DoorAddresses(
            listen: self.listen, mode: self.mode, group: self.group, tls: self.tls,
            hasSecret: self.passwordFile != nil)
    }

    /// The prefix of the keys of a store.
    public func prefix(ofStore store: String) -> String { self.prefix ?? "\(store):" }
}

/// The contents of the files that the settings of the Redis door name.
public struct RedisDoorSecrets: Sendable {
    /// The password, or `nil` for none.
    let password: [UInt8]?
    /// The server's certificate and the CA bundle for clients, or `nil` without encryption.
    let tls: TLSConfiguration?

    /// Reads the files.
    ///
    /// - Throws: The problem with a file, at its position.
    public init(_ settings: RedisDoorSettings) throws(SettingIssue) {
        self.password = try Self.password(settings)
        self.tls = try settings.tls?.configuration(section: "gateway: redis")
    }

    /// Reads the password again.
    ///
    /// - Throws: The problem with the file, at its position.
    static func password(_ settings: RedisDoorSettings) throws(SettingIssue) -> [UInt8]? {
        guard let file = settings.passwordFile else { return nil }
        return try AccessToken.read(file, setting: "gateway: redis: password_file")
    }
}

extension RedisDoorSecrets: CustomStringConvertible, CustomReflectable {
    /// What clients need, without the password itself.
    public var description: String {
        let needs = [self.password == nil ? nil : "password", self.tls == nil ? nil : "TLS"].compactMap(\.self)
        return needs.isEmpty ? "open" : needs.joined(separator: " and ")
    }

    /// Empty: loggers print a service's properties, and the password must not be logged.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
