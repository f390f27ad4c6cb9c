extension JSONString {
    /// Appends a string in quotes.
    package static func append(_ text: String, to output: inout [UInt8]) {
        self.append(text.utf8.span, to: &output)
    }

    /// Appends a string in quotes; the bytes must be valid UTF-8.
    ///
    /// Escapes everything that a JSON string cannot contain (`"`, `\`, control characters), and characters that a
    /// terminal or an editor would act on instead of showing them; see `isEscaped`. Everything else is written
    /// unchanged, on one line.
    package static func append(_ text: Span<UInt8>, to output: inout [UInt8]) {
        output.reserveCapacity(output.count + text.count + 2)
        output.append(UInt8(ascii: "\""))
        var index = 0
        while index < text.count {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                output.append(UInt8(ascii: "\\"))
                output.append(byte)
            case 0x20..<0x7F: output.append(byte)
            case 0x0A: output += #"\n"#.utf8
            case 0x0D: output += #"\r"#.utf8
            case 0x09: output += #"\t"#.utf8
            case 0..<0x80: self.appendUnit(UInt32(byte), to: &output)
            default: index += self.appendCharacter(text, at: index, to: &output) - 1
            }
            index += 1
        }
        output.append(UInt8(ascii: "\""))
    }

    /// Appends a document that `JSONScanner` has accepted, on one line: without line ends between its values, and with
    /// the escapes of `append` for characters in its strings. Everything else is written unchanged.
    package static func appendDocument(_ text: Span<UInt8>, to output: inout [UInt8]) {
        output.reserveCapacity(output.count + text.count)
        var index = 0
        while index < text.count {
            let byte = text[index]
            switch byte {
            // A string contains neither, so they are white space.
            case 0x0A, 0x0D: break
            case 0x7F: self.appendUnit(UInt32(byte), to: &output)
            case 0..<0x80: output.append(byte)
            default: index += self.appendCharacter(text, at: index, to: &output) - 1
            }
            index += 1
        }
    }

    /// Whether text for people must not contain the character itself: control characters (C0, DEL, C1), line and
    /// paragraph separators, and those that change the direction of the surrounding text (Unicode, Bidi_Control).
    package static func isEscaped(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
        case 0x061C, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// Appends the non-ASCII character at `index`, escaped if necessary, and returns the number of bytes to advance.
    private static func appendCharacter(_ text: Span<UInt8>, at index: Int, to output: inout [UInt8]) -> Int {
        let (scalar, length) = self.scalar(text, at: index)
        if let scalar, self.isEscaped(scalar) {
            self.appendUnit(scalar.value, to: &output)
        } else {
            for offset in 0..<length { output.append(text[index + offset]) }
        }
        return length
    }

    /// The non-ASCII character at `index`, or `nil` if it is invalid, and the number of bytes to advance.
    private static func scalar(_ text: Span<UInt8>, at index: Int) -> (Unicode.Scalar?, Int) {
        let length = self.characterLength(text, at: index)
        // Every character that is escaped has two or three bytes.
        guard length == 2 || length == 3 else { return (nil, max(1, length)) }
        var value = UInt32(text[index]) & (0xFF >> UInt32(length + 1))
        for offset in 1..<length { value = value << 6 | UInt32(text[index + offset] & 0x3F) }
        return (Unicode.Scalar(value), length)
    }

    /// Appends `\uXXXX`; no escaped character needs a surrogate pair.
    private static func appendUnit(_ value: UInt32, to output: inout [UInt8]) {
        let digits = String(value, radix: 16)
        output += #"\u"#.utf8
        output += String(repeating: "0", count: 4 - digits.utf8.count).utf8
        output += digits.utf8
    }
}
