/// A header that concerns the request or the connection itself.
enum SpecialHeader: Sendable {
    case connection, contentLength, expect, proxyConnection, token, transferEncoding, upgrade

    /// The header with this name, or `nil` for any other.
    @inline(__always)
    init?(_ name: Span<UInt8>) {
        switch name.count {
        case 6 where ASCIIText.equals(name, "expect"): self = .expect
        case 7 where ASCIIText.equals(name, "upgrade"): self = .upgrade
        case 10 where ASCIIText.equals(name, "connection"): self = .connection
        case 14 where ASCIIText.equals(name, "content-length"): self = .contentLength
        case 14 where ASCIIText.equals(name, "x-sluice-token"): self = .token
        case 16 where ASCIIText.equals(name, "proxy-connection"): self = .proxyConnection
        case 17 where ASCIIText.equals(name, "transfer-encoding"): self = .transferEncoding
        default: return nil
        }
    }
}
