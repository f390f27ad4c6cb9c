/// Quotes bytes for use in a message: printable text is unchanged, everything else is escaped.
///
/// The form is that of Go's `%q` (strconv.Quote): `\a \b \f \n \r \t \v \\ \"`, `\x1b`, `\u00a0`, `\U0010ffff`, and
/// `\xff` for each byte that is not UTF-8, so that no name from a stream can break or forge a log line.
public enum QuotedText {
    /// The number of bytes shown of a longer text, so that lines of logs and journals stay readable.
    public static let byteLimit = 1024

    /// Returns the bytes in quotes. A longer text is cut, with `…` after the closing quote.
    public static func quote(_ bytes: Span<UInt8>) -> String {
        var text = "\""
        var index = 0
        while index < bytes.count, index < self.byteLimit {
            if let (scalar, length) = self.scalar(bytes, at: index) {
                self.append(scalar, to: &text)
                index += length
            } else {
                text += "\\x" + self.hex(UInt32(bytes[index]), width: 2)
                index += 1
            }
        }
        return text + (index < bytes.count ? "\"…" : "\"")
    }

    /// Returns the text in quotes.
    public static func quote(_ text: String) -> String {
        var text = text
        return text.withUTF8 { unsafe self.quote($0.span) }
    }

    /// Returns the beginning of a text without quotes, with `?` in place of control characters, for messages that repeat
    /// a text of a server or a stream on one line.
    package static func plain(_ text: some StringProtocol, characters limit: Int) -> String {
        let scalars = text.prefix(limit).unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? "?" : Character(scalar)
        }
        return String(scalars)
    }

    private static func append(_ scalar: Unicode.Scalar, to text: inout String) {
        switch scalar.value {
        case 0x07: text += "\\a"
        case 0x08: text += "\\b"
        case 0x09: text += "\\t"
        case 0x0A: text += "\\n"
        case 0x0B: text += "\\v"
        case 0x0C: text += "\\f"
        case 0x0D: text += "\\r"
        case 0x22: text += "\\\""
        case 0x5C: text += "\\\\"
        case 0x20...0x7E: text.unicodeScalars.append(scalar)
        case 0..<0x80: text += "\\x" + self.hex(scalar.value, width: 2)
        case _ where self.isPrintable(scalar): text.unicodeScalars.append(scalar)
        case 0..<0x10000: text += "\\u" + self.hex(scalar.value, width: 4)
        default: text += "\\U" + self.hex(scalar.value, width: 8)
        }
    }

    /// Returns whether a character is a letter, mark, number, punctuation or symbol; white space, control, format,
    /// private and unassigned characters are not printable.
    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned,
            .spaceSeparator, .lineSeparator, .paragraphSeparator:
            false
        default: true
        }
    }

    private static func hex(_ value: UInt32, width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
    }

    /// Returns the character at `index` and its length, or `nil` if the bytes are not UTF-8 (RFC 3629: no surrogates,
    /// no overlong forms).
    private static func scalar(_ bytes: Span<UInt8>, at index: Int) -> (Unicode.Scalar, Int)? {
        let first = UInt32(bytes[index])
        let length: Int
        let least: UInt32
        switch first {
        case 0..<0x80: return (Unicode.Scalar(UInt8(first)), 1)
        case 0xC2...0xDF: (length, least) = (2, 0x80)
        case 0xE0...0xEF: (length, least) = (3, 0x800)
        case 0xF0...0xF4: (length, least) = (4, 0x10000)
        default: return nil
        }
        guard index + length <= bytes.count else { return nil }
        var value = first & (0xFF >> UInt32(length + 1))
        for offset in 1..<length {
            let byte = UInt32(bytes[index + offset])
            guard byte & 0xC0 == 0x80 else { return nil }
            value = value << 6 | byte & 0x3F
        }
        guard value >= least else { return nil }
        return Unicode.Scalar(value).map { ($0, length) }
    }
}
