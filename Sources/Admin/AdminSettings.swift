public import ComponentKit
public import HTTPBase
public import StageKit

/// The section `admin` of the file: `admin: { listen: 127.0.0.1:9191 }`.
public struct AdminSettings: Sendable, Equatable {
    /// The address to listen on.
    public var listen: ListenAddress
    /// The permissions of a Unix socket, or `nil` for the default.
    public var mode: UInt32?
    /// The group of a Unix socket, or `nil` for the worker's own.
    public var group: LocatedName?
    /// The token that requests must carry, or empty if none is required.
    public var token = ""
    /// The file that contains the token.
    public var tokenFile: LocatedName?
    /// The file with a token that permits only lookups and following revocations.
    public var lookupTokenFile: LocatedName?
    /// Host names that clients may use for a server on a loopback address, in addition to those of the address itself.
    public var hosts: [String] = []
    /// TLS settings, or `nil` if connections are not encrypted.
    public var tls: ServerTLS?

    /// Who may connect to the Unix socket.
    var socketAccess: SocketAccess { SocketAccess(mode: self.mode ?? 0o600, group: self.group?.text) }

    /// Creates settings; the defaults apply if the file has no such section.
    public init(listen: ListenAddress = .tcp(host: "127.0.0.1", port: 9191)) {
        self.listen = listen
    }

    /// The setting type of the section.
    public static let type: SettingType<AdminSettings> = {
        let object = SettingType<AdminSettings>.object(
            SettingsSchema(
                AdminSettings(),
                [
                    .optional(
                        "listen", \.listen, ListenAddress.type, default: "127.0.0.1:9191",
                        "Address of health, metrics, lookups and the dashboard. An address that other machines can"
                            + " reach requires a token, or tls with client_ca_file.")
                ] + SocketAccess.fields(\.mode, \.group) + [
                    .optional(
                        "token", \.token, .secret, default: "",
                        "Token that requests must carry (Authorization: Bearer TOKEN)."),
                    .optional("token_file", \.tokenFile, .optional(.name), "File with the token."),
                    .optional(
                        "lookup_token_file", \.lookupTokenFile, .optional(.name),
                        "File with a token for gateways: it permits only lookups of a key and the revocation feed."),
                    .optional(
                        "hosts", \.hosts, .list(of: .nonBlankText), default: "[]",
                        "Host names, such as that of a proxy, that clients may use for a server on a loopback "
                            + "address."),
                    .optional("tls", \.tls, .optional(ServerTLS.type), "Encryption of the connections."),
                ]))
        return SettingType(shape: object.shape) { node, issues in
            guard let settings = object.decode(node, &issues) else { return nil }
            let count = issues.all.count
            settings.check(node, &issues)
            return issues.all.count == count ? settings : nil
        }
    }()

    /// The section for the catalogue.
    public static let section = SectionType(
        name: "admin", summary: "Health, metrics, lookups and the dashboard over HTTP.", settings: Self.type)

    /// Checks combinations of settings.
    private func check(_ node: SettingNode, _ issues: inout SettingIssues) {
        let hasToken = AccessToken.check(self.token, file: self.tokenFile, node, &issues)
        let rules = ListenRules(
            listen: [self.listen], mode: self.mode, group: self.group, tls: self.tls, hasSecret: hasToken)
        rules.check(node, &issues)
        if let file = self.lookupTokenFile, self.token.isEmpty, self.tokenFile == nil {
            issues.add("lookup_token_file: add token_file too, the token for everything else", at: file.position)
        }
    }

    /// Reads the named files and returns the access rules.
    ///
    /// - Throws: The problem with a file, at its position.
    public func readAccess() throws(SettingIssue) -> AdminAccess {
        var access = AdminAccess()
        if let file = self.tokenFile {
            access.token = try AccessToken.read(file, setting: "admin: token_file")
        } else if !self.token.isEmpty {
            access.token = Array(self.token.utf8)
        }
        if let file = self.lookupTokenFile {
            access.lookupToken = try AccessToken.read(file, setting: "admin: lookup_token_file")
            if access.lookupToken == access.token {
                throw SettingIssue(
                    "admin: lookup_token_file: it is the same token as the one with all rights", at: file.position)
            }
        }
        if case .tcp = self.listen, self.listen.isLocal {
            access.hosts = Set(self.hosts.map { $0.lowercased() })
        }
        access.tls = try self.tls?.configuration(section: "admin")
        return access
    }
}
