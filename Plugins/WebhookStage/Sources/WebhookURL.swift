public import StageKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The destination of requests: an absolute `http` or `https` URL with a host and without user, password and fragment.
/// The path and the query may contain fields.
public struct WebhookURL: Sendable, Equatable {
    /// The maximum length of a URL that contains fields, in bytes: what servers accept at least (RFC 9110, section 4.1).
    static let lengthLimit = 8000

    /// The URL with its fields.
    public let template: Template
    /// The host.
    let host: String
    /// Whether the scheme is `https`.
    let isEncrypted: Bool
    /// Whether nobody on the network can read the requests: they are encrypted, or stay within this machine.
    public let isPrivate: Bool

    /// A placeholder for the required URL in the defaults of settings.
    static let unread = WebhookURL(template: .unread, host: "", isEncrypted: false, isPrivate: true)

    private init(template: Template, host: String, isEncrypted: Bool, isPrivate: Bool) {
        self.template = template
        self.host = host
        self.isEncrypted = isEncrypted
        self.isPrivate = isPrivate
    }

    /// Parses a URL. Throws the problem and its remedy if the URL is not allowed.
    init(_ template: Template) throws(SettingRefusal) {
        let text = try Self.sample(of: template)
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
        self.init(template: template, host: host, isEncrypted: isEncrypted, isPrivate: isEncrypted || isLocal)
    }

    /// Returns the URL with an `x` for each field. Throws if scheme, host and port are not fixed text.
    private static func sample(of template: Template) throws(SettingRefusal) -> String {
        let text = template.pieces.map { piece in if case .text(let text) = piece { text } else { "x" } }.joined()
        guard template.literal == nil else { return text }
        // The host ends at the first slash or question mark after the scheme.
        guard case .text(let head)? = template.pieces.first, let scheme = head.firstRange(of: "://"),
            head[scheme.upperBound...].contains(where: { $0 == "/" || $0 == "?" })
        else { throw SettingRefusal("scheme, host and port must not come from a field: begin with https://host/") }
        return text
    }

    /// Returns the URL for an event; the values of fields are percent-encoded.
    ///
    /// - Throws: A failure if the event does not have a field, or if a value would lead to another directory.
    static func text(_ template: ResolvedTemplate, for event: borrowing Event) throws(StageFailure) -> String {
        var bytes: [UInt8] = []
        do throws(TemplateFailure) {
            try template.append(
                event, to: &bytes, limit: Self.lengthLimit, missing: .refuse, isPercentEncoded: true)
        } catch {
            throw StageFailure("webhook: url: \(error.message)")
        }
        let path = bytes.prefix { $0 != UInt8(ascii: "?") }
        let parts = path.split(separator: UInt8(ascii: "/"))
        guard !parts.contains(where: { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }) else {
            throw StageFailure("webhook: url: a part of the path is . or ..")
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension SettingType where Value == WebhookURL {
    /// A URL that requests can be sent to.
    static var webhookURL: SettingType<WebhookURL> {
        let text = SettingType<Template>.nonBlankTemplate.map { (template) throws(SettingRefusal) in
            try WebhookURL(template)
        }
        let pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#@\\s{}]+([/?][^#\\s]*)?$"
        return SettingType(
            shape: .form("a URL: http://host/path or https://host/path", pattern: pattern), decode: text.decode)
    }
}
