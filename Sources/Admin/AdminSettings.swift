import NIOSSL
public import StageKit

/// The section `admin` of the file: `admin: { listen: 127.0.0.1:9191 }`.
public struct AdminSettings: Sendable, Equatable {
    /// The minimum length of a token; shorter tokens can be guessed.
    public static let leastTokenLength = 16

    /// The address to listen on.
    public var listen: AdminAddress
    /// The token that requests must carry, or empty if none is required.
    public var token = ""
    /// The file that contains the token.
    public var tokenFile: MarkedName?
    /// Host names that clients may use for a server on a loopback address, in addition to those of the address itself.
    public var hosts: [String] = []
    /// TLS settings, or `nil` if connections are not encrypted.
    public var tls: AdminTLS?

    /// Creates settings; the defaults apply if the file has no such section.
    public init(listen: AdminAddress = .tcp(host: "127.0.0.1", port: 9191)) {
        self.listen = listen
    }

    /// The setting type of the section.
    public static let type: SettingType<AdminSettings> = {
        let object = SettingType<AdminSettings>.object(
            SettingsSchema(
                AdminSettings(),
                [
                    .optional(
                        "listen", \.listen, AdminAddress.type, default: "127.0.0.1:9191",
                        "Address of health, metrics, lookups and the dashboard. An address that other machines can"
                            + " reach requires a token, or tls with client_ca_file."),
                    .optional(
                        "token", \.token, .secret, default: "",
                        "Token that requests must carry (Authorization: Bearer TOKEN); none if empty."),
                    .optional("token_file", \.tokenFile, .optional(.name), "File with the token."),
                    .optional(
                        "hosts", \.hosts, .list(of: .nonBlankText), default: "[]",
                        "Host names, such as that of a proxy, that clients may use for a server on a loopback "
                            + "address."),
                    .optional("tls", \.tls, .optional(AdminTLS.type), "Encryption of the connections."),
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
        if !self.token.isEmpty {
            if let file = self.tokenFile {
                issues.add("token and token_file are both given: keep one of them", at: file.mark)
            }
            if let problem = Self.problem(ofToken: self.token) {
                issues.add("token: \(problem)", at: node["token"]?.mark ?? node.mark)
            }
        }
        if case .tcp = self.listen {
            guard !self.listen.isLocal, self.token.isEmpty, self.tokenFile == nil, self.tls?.clientCAFile == nil
            else { return }
            issues.add(
                "listen: other machines reach \(self.listen): add token_file (or token: ${NAME}), or tls with "
                    + "client_ca_file,"
                    + " or listen on 127.0.0.1",
                at: node["listen"]?.mark ?? node.mark)
        } else if let tls = self.tls {
            issues.add("tls: only a TCP address can be encrypted", at: tls.certificateFile.mark)
        }
    }

    /// The problem with a token, or `nil` if there is none.
    private static func problem(ofToken token: String) -> String? {
        if token.utf8.count < Self.leastTokenLength { return "must have at least \(Self.leastTokenLength) characters" }
        let isPlain = token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPlain ? nil : "must be printable ASCII without spaces, because it is sent in a header"
    }

    /// Reads the named files and returns the access rules.
    ///
    /// - Throws: The problem with a file, at its position.
    public func readAccess() throws(SettingIssue) -> AdminAccess {
        var access = AdminAccess()
        if let file = self.tokenFile {
            let token: String
            do throws(SecretFile.Unreadable) {
                token = try SecretFile.read(file.text)
            } catch {
                throw SettingIssue("admin: token_file: \(error)", at: file.mark)
            }
            if let problem = Self.problem(ofToken: token) {
                throw SettingIssue("admin: token_file: \(file.text): the token \(problem)", at: file.mark)
            }
            access.token = Array(token.utf8)
        } else if !self.token.isEmpty {
            access.token = Array(self.token.utf8)
        }
        if case .tcp = self.listen, self.listen.isLocal {
            access.hosts = Set(self.hosts.map { $0.lowercased() })
        }
        access.tls = try self.tls?.configuration()
        return access
    }
}

/// The section `admin.tls`: a certificate for the server and, if clients need certificates, the CA that must have
/// issued them.
public struct AdminTLS: Sendable, Equatable {
    /// The server's certificate in PEM, with the intermediate certificates.
    public var certificateFile = MarkedName.unread
    /// The certificate's private key in PEM.
    public var keyFile = MarkedName.unread
    /// CA bundle (PEM) for client certificates, or `nil` if clients need none.
    public var clientCAFile: MarkedName?

    /// The setting type of the section.
    static let type = SettingType<AdminTLS>.object(
        SettingsSchema(
            AdminTLS(),
            [
                .required("certificate_file", \.certificateFile, .name, "PEM file of the server's certificate."),
                .required("key_file", \.keyFile, .name, "PEM file of the certificate's private key."),
                .optional(
                    "client_ca_file", \.clientCAFile, .optional(.name),
                    "PEM file of the CA bundle for client certificates; without it, clients need no certificate."),
            ]))

    /// Reads the files.
    ///
    /// - Throws: The problem with a file, at its position.
    func configuration() throws(SettingIssue) -> TLSConfiguration {
        let chain = try Self.read("certificate_file", self.certificateFile) {
            try NIOSSLCertificate.fromPEMFile($0).map { NIOSSLCertificateSource.certificate($0) }
        }
        let key = try Self.read("key_file", self.keyFile) { file in
            try PrivateKeyFile.refuseEncrypted(file)
            return try NIOSSLPrivateKey(file: file, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        if let file = self.clientCAFile {
            let roots = try Self.read("client_ca_file", file) { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.trustRoots = .certificates(roots)
            // A client has no host name to verify; its certificate must chain to the configured CA bundle.
            configuration.certificateVerification = .noHostnameVerification
        }
        return configuration
    }

    private static func read<Value>(
        _ name: String, _ file: MarkedName, _ body: (String) throws -> Value
    ) throws(SettingIssue) -> Value {
        do {
            return try body(file.text)
        } catch {
            throw SettingIssue("admin: tls: \(name): cannot read \(file.text): \(error)", at: file.mark)
        }
    }
}
