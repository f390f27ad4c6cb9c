/// The contents of JSON strings: escapes and characters (RFC 8259, section 7).
package enum JSONString {
    /// The length of the escape that begins at `index`, or 0 if it is invalid or incomplete.
    ///
    /// A surrogate pair is one escape; an unpaired surrogate is invalid.
    static func escapeLength(_ bytes: Span<UInt8>, at index: Int) -> Int {
        guard index + 1 < bytes.count else { return 0 }
        guard bytes[index + 1] == UInt8(ascii: "u") else { return self.simpleEscape(bytes[index + 1]) == nil ? 0 : 2 }
        guard let unit = self.unit(bytes, at: index) else { return 0 }
        switch unit {
        case 0xD800...0xDBFF:
            guard let low = self.unit(bytes, at: index + 6), (0xDC00...0xDFFF).contains(low) else { return 0 }
            return 12
        case 0xDC00...0xDFFF: return 0
        default: return 6
        }
    }

    /// The length of the non-ASCII character that begins at `index`, or 0 if the bytes are not well-formed UTF-8 (The
    /// Unicode Standard, table 3-7).
    static func characterLength(_ bytes: Span<UInt8>, at index: Int) -> Int {
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch bytes[index] {
        case 0xC2...0xDF: length = 2
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: length = 3
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        guard index + length <= bytes.count, second.contains(bytes[index + 1]) else { return 0 }
        for offset in 2..<max(2, length) where bytes[index + offset] & 0xC0 != 0x80 { return 0 }
        return length
    }

    /// Appends a string that `JSONScanner` has accepted, with its escapes decoded; the result is never longer.
    package static func unescape(_ bytes: Span<UInt8>, into output: inout [UInt8]) {
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count else {
                output.append(bytes[index])
                index += 1
                continue
            }
            if let simple = self.simpleEscape(bytes[index + 1]) {
                output.append(simple)
                index += 2
                continue
            }
            var value = UInt32(self.unit(bytes, at: index) ?? 0xFFFD)
            index += 6
            if (0xD800...0xDBFF).contains(value), let low = self.unit(bytes, at: index) {
                value = 0x10000 + (value - 0xD800) << 10 + (UInt32(low) & 0x3FF)
                index += 6
            }
            self.append(value, to: &output)
        }
    }

    private static func simpleEscape(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    /// The code unit of the `\uXXXX` that begins at `index`, or `nil` if there is none.
    private static func unit(_ bytes: Span<UInt8>, at index: Int) -> UInt16? {
        guard index + 6 <= bytes.count, bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
        else { return nil }
        var value: UInt16 = 0
        for offset in 2..<6 {
            let byte = bytes[index + offset]
            let digit: UInt8
            switch byte {
            case 0x30...0x39: digit = byte - 0x30
            case 0x41...0x46: digit = byte - 0x41 + 10
            case 0x61...0x66: digit = byte - 0x61 + 10
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    private static func append(_ value: UInt32, to output: inout [UInt8]) {
        func tail(_ shift: UInt32) -> UInt8 { UInt8(0x80 | value >> shift & 0x3F) }
        switch value {
        case 0..<0x80: output.append(UInt8(value))
        case 0..<0x800:
            output.append(UInt8(0xC0 | value >> 6))
            output.append(tail(0))
        case 0..<0x10000:
            output.append(UInt8(0xE0 | value >> 12))
            output.append(tail(6))
            output.append(tail(0))
        default:
            output.append(UInt8(0xF0 | value >> 18))
            output.append(tail(12))
            output.append(tail(6))
            output.append(tail(0))
        }
    }
}
