package import StageKit

/// The encryption of a connection. The server's chain and name are always verified, and TLS is 1.2 or newer.
///
/// The files are read again for each connection, so renewed certificates are used without a restart.
public struct TLSSettings: Sendable, Hashable {
    /// PEM file of the trusted CA bundle, or `nil` for the system's.
    public var caFile: String?
    /// PEM file of the client's certificate chain, its own certificate first, or `nil`.
    public var certificateFile: String?
    /// PEM file of the private key for that certificate, or `nil`.
    public var keyFile: String?
    /// The required name in the server's certificate, or `nil` for the host of the address.
    public var serverName: String?

    /// Creates settings with the system's CA bundle and no client certificate.
    public init() {}

    static let schema = SettingsSchema(
        TLSSettings(),
        [
            .optional("ca_file", \.caFile, .given, "PEM file of the trusted CA bundle, instead of the system's."),
            .optional("certificate_file", \.certificateFile, .given, "PEM file of the client's certificate chain."),
            .optional("key_file", \.keyFile, .given, "PEM file of the client's private key."),
            .optional("server_name", \.serverName, .given, "Name that the server's certificate must have."),
        ])

    /// The setting type: `false`, `true`, or a mapping.
    static let type = SettingType<TLSSettings?>(
        shape: .either([.boolean, .object(Self.schema.descriptions)])
    ) { node, issues in
        guard node.pairs != nil else {
            return SettingType<Bool>.boolean.decode(node, &issues).map { $0 ? TLSSettings() : nil }
        }
        guard let settings = Self.schema.decode(node, &issues) else { return nil }
        guard (settings.certificateFile == nil) == (settings.keyFile == nil) else {
            issues.add("certificate_file and key_file must be given together", at: node.position)
            return nil
        }
        return .some(settings)
    }
}

extension SettingType where Value == String? {
    /// Optional text, in which empty text means `nil`: an unset environment variable expands to empty text.
    package static var given: SettingType<String?> {
        SettingType<String?>.optional(SettingType<String>.text).map { (text) throws(SettingRefusal) in
            text?.isEmpty == true ? nil : text
        }
    }
}
