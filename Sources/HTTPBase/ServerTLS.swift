public import NIOSSL
public import StageKit

/// The settings `tls` of a server: a certificate for the server and, if clients need certificates, the CA that must have
/// issued them.
public struct ServerTLS: Sendable, Equatable {
    /// The server's certificate in PEM, with the intermediate certificates.
    public var certificateFile = LocatedName.unread
    /// The certificate's private key in PEM.
    public var keyFile = LocatedName.unread
    /// CA bundle (PEM) for client certificates, or `nil` if clients need none.
    public var clientCAFile: LocatedName?

    /// The setting type of the section.
    public static let type = SettingType<ServerTLS>.object(
        SettingsSchema(
            ServerTLS(),
            [
                .required("certificate_file", \.certificateFile, .name, "The server's certificate, in PEM."),
                .required("key_file", \.keyFile, .name, "The certificate's key, in PEM."),
                .optional(
                    "client_ca_file", \.clientCAFile, .optional(.name),
                    "CA bundle for client certificates, in PEM; without it clients need no certificate."),
            ]))

    /// Reads the files.
    ///
    /// - Parameter section: The section of the settings, for messages.
    /// - Throws: The problem with a file, at its position.
    public func configuration(section: String) throws(SettingIssue) -> TLSConfiguration {
        let chain = try Self.read("\(section): tls: certificate_file", self.certificateFile) {
            try NIOSSLCertificate.fromPEMFile($0).map { NIOSSLCertificateSource.certificate($0) }
        }
        let key = try Self.read("\(section): tls: key_file", self.keyFile) { file in
            try PrivateKeyFile.refuseEncrypted(file)
            return try NIOSSLPrivateKey(file: file, format: .pem)
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv12
        if let file = self.clientCAFile {
            let roots = try Self.read("\(section): tls: client_ca_file", file) { try NIOSSLCertificate.fromPEMFile($0) }
            configuration.trustRoots = .certificates(roots)
            // A client has no host name to verify; its certificate must chain to the configured CA bundle.
            configuration.certificateVerification = .noHostnameVerification
        }
        return configuration
    }

    private static func read<Value>(
        _ name: String, _ file: LocatedName, _ body: (String) throws -> Value
    ) throws(SettingIssue) -> Value {
        do {
            return try body(file.text)
        } catch {
            throw SettingIssue("\(name): cannot read \(file.text): \(error)", at: file.position)
        }
    }
}
