/// Base64 with the standard alphabet (RFC 4648).
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Encodes bytes, with padding.
    static func encode(_ bytes: [UInt8]) -> String {
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let count = min(3, bytes.count - start)
            var group: UInt32 = 0
            for index in 0..<3 { group = group << 8 | (index < count ? UInt32(bytes[start + index]) : 0) }
            for index in 0..<4 {
                output.append(index <= count ? Self.alphabet[Int(group >> UInt32(18 - index * 6) & 63)] : 0x3D)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Decodes text, whose padding may be left out.
    static func decode(_ text: String) -> [UInt8]? {
        var bytes = Array(text.utf8)
        if bytes.count % 4 == 0, bytes.last == 0x3D {
            bytes.removeLast(bytes.count > 1 && bytes[bytes.count - 2] == 0x3D ? 2 : 1)
        }
        guard bytes.count % 4 != 1 else { return nil }
        var output: [UInt8] = []
        var group: UInt32 = 0
        var bits = 0
        for byte in bytes {
            guard let digit = Self.digit(byte) else { return nil }
            group = (group << 6 | digit) & 0xFFFF
            bits += 6
            if bits >= 8 {
                bits -= 8
                output.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
            }
        }
        return output
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x41...0x5A: UInt32(byte) - 0x41
        case 0x61...0x7A: UInt32(byte) - 0x61 + 26
        case 0x30...0x39: UInt32(byte) - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
