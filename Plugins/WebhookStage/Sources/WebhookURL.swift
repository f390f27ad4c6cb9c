import StageKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The destination of requests: an absolute `http` or `https` URL with a host and without user, password and fragment.
public struct WebhookURL: Sendable, Equatable {
    /// The URL.
    public let text: String
    /// The host.
    let host: String
    /// Whether the scheme is `https`.
    let isEncrypted: Bool
    /// Whether nobody on the network can read the requests: they are encrypted, or stay within this machine.
    public let isPrivate: Bool

    /// A placeholder for the required URL in the defaults of settings.
    static let unread = WebhookURL(text: "", host: "", isEncrypted: false, isPrivate: true)

    private init(text: String, host: String, isEncrypted: Bool, isPrivate: Bool) {
        self.text = text
        self.host = host
        self.isEncrypted = isEncrypted
        self.isPrivate = isPrivate
    }

    /// Parses a URL. Throws the problem and its remedy if the URL is not allowed.
    init(_ text: String) throws(SettingRefusal) {
        guard let parts = URLComponents(string: text), text.allSatisfy({ !$0.isWhitespace }) else {
            throw SettingRefusal("not a URL: write http://host/path or https://host/path")
        }
        guard let scheme = parts.scheme?.lowercased(), scheme == "http" || scheme == "https" else {
            throw SettingRefusal("the URL must begin with http:// or https://")
        }
        guard let host = parts.host, !host.isEmpty else { throw SettingRefusal("the URL has no host") }
        guard parts.user == nil, parts.password == nil else {
            throw SettingRefusal("the URL must not contain a user or password: use authorization_file")
        }
        guard parts.fragment == nil else { throw SettingRefusal("a fragment (#...) is not sent: remove it") }
        guard parts.port.map({ (1...65535).contains($0) }) ?? true else {
            throw SettingRefusal("the port must be a number from 1 to 65535")
        }
        let isLocal = ["localhost", "127.0.0.1", "::1", "[::1]"].contains(host.lowercased())
        let isEncrypted = scheme == "https"
        self.init(text: text, host: host, isEncrypted: isEncrypted, isPrivate: isEncrypted || isLocal)
    }
}

extension SettingType where Value == WebhookURL {
    /// A URL that requests can be sent to.
    static var webhookURL: SettingType<WebhookURL> {
        let text = SettingType<String>.nonBlankText.map { (text) throws(SettingRefusal) in try WebhookURL(text) }
        let pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\\s]+([/?][^#\\s]*)?$"
        return SettingType(
            shape: .form("a URL: http://host/path or https://host/path", pattern: pattern), decode: text.decode)
    }
}
