public import StageKit

/// The address that an HTTP server of the worker listens on.
public enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// A host name or an IP address without brackets, and a port; port 0 selects a free port.
    case tcp(host: String, port: Int)
    /// The absolute path of a Unix socket.
    case unix(path: String)
    /// The server does not listen.
    case off

    /// The maximum length of a Unix socket path in bytes. Linux allows 108 bytes, including the terminating zero
    /// (unix(7)).
    public static let pathLimit = 107

    /// The setting type of an address.
    public static let type = SettingType<ListenAddress>(shape: .form(Self.form, pattern: Self.pattern)) {
        node, issues in
        SettingType<String>.text.map { (text) throws(SettingRefusal) in try ListenAddress(text) }.decode(node, &issues)
    }

    /// The part of the form that a regular expression can check.
    private static let pattern = #"^(([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}|unix:/.*[^/]|off)$"#
    private static let form = "127.0.0.1:PORT, HOST:PORT, [ADDRESS]:PORT, unix:/path or off"

    /// Parses `127.0.0.1:9191`, `[::1]:9191`, `name:9191`, `unix:/path` or `off`; `localhost` means 127.0.0.1.
    public init(_ text: String) throws(SettingRefusal) {
        if text == "off" {
            self = .off
            return
        }
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            guard path.hasPrefix("/"), !path.hasSuffix("/"), !path.utf8.contains(0) else {
                throw SettingRefusal("expected an absolute path after unix:, found \"\(path)\"")
            }
            guard path.utf8.count <= ListenAddress.pathLimit else {
                throw SettingRefusal(
                    "the path of a Unix socket has at most \(ListenAddress.pathLimit) bytes, found \(path.utf8.count)")
            }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = ListenAddress.port(text[text.index(after: colon)...])
        else {
            throw SettingRefusal("expected \(ListenAddress.form), found \"\(text)\"")
        }
        let host = text[..<colon]
        if host == "localhost" {
            self = .tcp(host: "127.0.0.1", port: port)
        } else if host.hasPrefix("["), host.hasSuffix("]"), host.contains(":"), host.allSatisfy({ Self.isInIPv6($0) }) {
            self = .tcp(host: String(host.dropFirst().dropLast()), port: port)
        } else if !host.isEmpty, host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || ".-".contains($0)) }) {
            self = .tcp(host: String(host), port: port)
        } else {
            throw SettingRefusal("expected \(ListenAddress.form), found \"\(text)\"")
        }
    }

    /// Whether the address is reachable only from this machine.
    public var isLocal: Bool {
        switch self {
        case .tcp(let host, _): host == "::1" || ListenAddress.isLoopback(host[...])
        case .unix, .off: true
        }
    }

    /// The address in the form used in the pipeline file.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        case .off: "off"
        }
    }

    private static func isInIPv6(_ character: Character) -> Bool {
        character.isASCII && (character.isHexDigit || ":.[]".contains(character))
    }

    private static func port(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.count <= 5, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int(text).flatMap { $0 <= 65535 ? $0 : nil }
    }

    /// Whether the host is in 127.0.0.0/8 (RFC 1122, 3.2.1.3), written as four decimals.
    public static func isLoopback(_ host: Substring) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let isDotted = parts.count == 4 && parts.allSatisfy { self.port($0).map { $0 <= 255 } ?? false }
        return isDotted && parts[0] == "127"
    }
}
