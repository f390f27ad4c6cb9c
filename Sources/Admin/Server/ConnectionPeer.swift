import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The other side of a connection, as far as connections are shared out by it.
enum ConnectionPeer: Hashable, Sendable {
    /// A program of this machine over a Unix socket.
    case local
    /// An IP address: all four bytes of IPv4, and of IPv6 the eight of the network, of which one client has all addresses.
    case network([UInt8])

    /// The peer at an address; `local` if there is none with an IP address.
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

    /// The first bytes of an IPv4 address written as IPv6 (RFC 4291, section 2.5.5.2).
    private static let mappedPrefix = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
}
