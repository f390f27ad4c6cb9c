import StageKit

/// How a connection is encrypted: the server's chain and name are always verified, TLS is 1.2 or newer.
///
/// The files are read anew for each connection, so that renewed certificates are taken up without a restart.
public struct TLSSettings: Sendable, Equatable {
    /// PEM file of the authorities that are trusted; nil for those of the system.
    public var caFile: String?
    /// PEM file of the certificate chain this side shows, its own certificate first.
    public var certificateFile: String?
    /// PEM file of the private key to that certificate.
    public var keyFile: String?
    /// The name the server's certificate must have; nil for the host of the address.
    public var serverName: String?

    /// The authorities of the system, no certificate of our own.
    public init() {}

    static let schema = SettingsSchema(
        TLSSettings(),
        [
            .optional("ca_file", \.caFile, .given, "PEM file of the authorities to trust instead of the system's."),
            .optional("certificate_file", \.certificateFile, .given, "PEM file of the client's certificate chain."),
            .optional("key_file", \.keyFile, .given, "PEM file of the client's private key."),
            .optional("server_name", \.serverName, .given, "The name that the server's certificate must have."),
        ])

    /// `false`, `true`, or a mapping.
    static let type = SettingType<TLSSettings?>(
        shape: .either([.boolean, .object(Self.schema.descriptions)])
    ) { node, issues in
        guard node.entries != nil else {
            return SettingType<Bool>.boolean.decode(node, &issues).map { $0 ? TLSSettings() : nil }
        }
        guard let settings = Self.schema.decode(node, &issues) else { return nil }
        guard (settings.certificateFile == nil) == (settings.keyFile == nil) else {
            issues.add("certificate_file and key_file belong together: give both or neither", at: node.mark)
            return nil
        }
        return .some(settings)
    }
}

extension SettingType where Value == String? {
    /// Text, where empty text is the same as none: what an unset environment variable leaves behind.
    static var given: SettingType<String?> {
        SettingType<String?>.optional(SettingType<String>.text).map { (text) throws(SettingRefusal) in
            text?.isEmpty == true ? nil : text
        }
    }
}
