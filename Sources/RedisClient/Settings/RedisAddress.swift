public import StageKit

/// The address of a server.
public enum RedisAddress: Sendable, Hashable {
    /// A host name or IP address, and a port from 1 to 65535.
    case tcp(host: String, port: Int)
    /// The path of a Unix socket.
    case unix(path: String)

    /// The maximum length of a Unix socket's path, in bytes: `sun_path` has 108 bytes, including the NUL.
    static let pathLimit = 107

    /// Parses `host:port`, `[v6]:port`, `:port` (the local host), `unix:/path` or `/path`. Ignores surrounding white
    /// space.
    ///
    /// - Throws: `SettingRefusal` with the reason and the accepted forms.
    public init(_ text: String) throws(SettingRefusal) {
        let text = RedisAddress.trimmed(text)
        guard !text.isEmpty else { throw SettingRefusal("must not be blank") }
        if text.hasPrefix("unix:") || text.hasPrefix("/") {
            self = try RedisAddress.unix(text.hasPrefix("/") ? text : String(text.dropFirst("unix:".count)))
            return
        }
        if text.contains("://") {
            throw SettingRefusal("expected host:port, not a URL; TLS, user and password have their own settings")
        }
        self = try RedisAddress.tcp(text)
    }

    private static func unix(_ path: String) throws(SettingRefusal) -> RedisAddress {
        guard path.hasPrefix("/") else {
            throw SettingRefusal("the path of a Unix socket must begin with /, as in unix:/run/redis.sock")
        }
        guard path.utf8.count <= Self.pathLimit else {
            throw SettingRefusal("the path of a Unix socket has at most \(Self.pathLimit) bytes")
        }
        return .unix(path: path)
    }

    private static func tcp(_ text: String) throws(SettingRefusal) -> RedisAddress {
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            throw SettingRefusal("\"\(text)\" has no port: write host:port, such as 127.0.0.1:6379")
        }
        let portText = text[text.index(after: colon)...]
        guard let port = Int(portText), (1...65535).contains(port), portText.allSatisfy(\.isNumber) else {
            throw SettingRefusal("the port must be a number from 1 to 65535, found \"\(portText)\"")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
            guard host.contains(":") else { throw SettingRefusal("expected an IPv6 address in brackets") }
        } else if host.contains(":") {
            throw SettingRefusal("write an IPv6 address in brackets: [::1]:6379")
        }
        guard !host.contains(where: { $0.isWhitespace || $0 == "/" || $0 == "@" || $0 == "[" || $0 == "]" }) else {
            throw SettingRefusal("\"\(host)\" is not a host name or an IP address")
        }
        return .tcp(host: host.isEmpty ? "localhost" : host, port: port)
    }

    private static func trimmed(_ text: String) -> String {
        let head = text.drop { $0.isWhitespace }
        guard let last = head.lastIndex(where: { !$0.isWhitespace }) else { return "" }
        return String(head[...last])
    }
}

extension RedisAddress: CustomStringConvertible {
    /// The address in a form that can be parsed: `127.0.0.1:6379`, `[::1]:6379`, `unix:/run/redis.sock`.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
