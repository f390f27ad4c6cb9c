import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The client that a connection is attributed to when connections are limited.
enum ConnectionPeer: Hashable, Sendable {
    /// A process of this machine over a Unix socket.
    case local
    /// The network of an IP address: all four bytes of IPv4, and the first eight of IPv6, because one client owns a
    /// whole /64.
    case network([UInt8])

    /// Creates the peer of an address; `local` if the address is not an IP address.
    init(_ address: SocketAddress?) {
        guard let text = address?.ipAddress else {
            self = .local
            return
        }
        // The zone of a link-local address (`%eth0`) is not part of it.
        if let bytes = Self.bytes(of: text, AF_INET, count: 4) {
            self = .network(bytes)
        } else if let bytes = Self.bytes(of: String(text.prefix { $0 != "%" }), AF_INET6, count: 16) {
            let isMapped = bytes.prefix(12) == Self.mappedPrefix[...]
            self = .network(isMapped ? Array(bytes.suffix(4)) : Array(bytes.prefix(8)))
        } else {
            self = .network(Array(text.utf8))
        }
    }

    private static func bytes(of text: String, _ family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        // Unsafe, as it writes `count` bytes, which an address of the family has.
        return unsafe inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    /// The prefix of an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2).
    private static let mappedPrefix = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
}
