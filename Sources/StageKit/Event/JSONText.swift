/// Writes JSON piece by piece into bytes: members in the order written, integers exactly, one line.
///
/// Source: RFC 8259, sections 6 and 7.
public enum JSONText {
    /// Appends a string in quotes; `"`, `\` and control characters are escaped, everything else stays as it is.
    public static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 { self.appendEscaped(byte, to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends `"name":` and what follows it: the text, or, where the bytes are not UTF-8, `"name_b64":` and base 64.
    public static func appendMember(_ name: String, _ value: [UInt8], to bytes: inout [UInt8]) {
        guard self.isUTF8(value) else {
            self.append("\(name)_b64", to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            self.append(Base64.encode(value.span), to: &bytes)
            return
        }
        self.append(name, to: &bytes)
        bytes += [UInt8(ascii: ":"), UInt8(ascii: "\"")]
        for byte in value { self.appendEscaped(byte, to: &bytes) }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends `"name":` and a string.
    public static func appendMember(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        self.append(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        self.append(value, to: &bytes)
    }

    /// Appends a list of strings.
    public static func append(_ texts: [String], to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "["))
        for (index, text) in texts.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            self.append(text, to: &bytes)
        }
        bytes.append(UInt8(ascii: "]"))
    }

    private static func isUTF8(_ bytes: [UInt8]) -> Bool {
        (try? UTF8Span(validating: bytes.span)) != nil
    }

    private static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case 0x0A: bytes += Array(#"\n"#.utf8)
        case 0x0D: bytes += Array(#"\r"#.utf8)
        case 0x09: bytes += Array(#"\t"#.utf8)
        case 0..<0x20: bytes += Array((byte < 0x10 ? #"\u000"# : #"\u00"#).utf8) + Array(String(byte, radix: 16).utf8)
        default: bytes.append(byte)
        }
    }
}
