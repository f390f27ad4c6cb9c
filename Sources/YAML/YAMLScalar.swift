/// The text of a scalar, and whether it may be interpreted as more than text.
///
/// The helpers follow the core schema (YAML 1.2.2, section 10.3.2). They interpret quoted or block text only as text,
/// so `"5"` is not a number and `no` is not a Boolean.
package struct YAMLScalar: Hashable, Sendable {
    /// The text with quotes, escapes and folding resolved.
    package var text: String
    /// Whether it was written without quotes, block indicator or `!!str`, so that it may be null, a Boolean or a
    /// number.
    package var isPlain: Bool

    /// Creates a scalar.
    package init(text: String, isPlain: Bool) {
        self.text = text
        self.isPlain = isPlain
    }

    /// Whether it is a plain null: empty, `~`, `null`, `Null` or `NULL`.
    package var isNull: Bool {
        self.isPlain && ["", "~", "null", "Null", "NULL"].contains(self.text)
    }

    /// The Boolean value: plain `true` or `false`, also capitalized or in capitals; otherwise `nil`.
    package var bool: Bool? {
        guard self.isPlain else { return nil }
        switch self.text {
        case "true", "True", "TRUE": return true
        case "false", "False", "FALSE": return false
        default: return nil
        }
    }

    /// The integer value: plain decimal with an optional sign, `0x` or `0o`; otherwise, or if it does not fit, `nil`.
    package var int: Int? {
        guard self.isPlain else { return nil }
        if self.text.hasPrefix("0x") { return Self.digits(self.text.dropFirst(2), radix: 16) }
        if self.text.hasPrefix("0o") { return Self.digits(self.text.dropFirst(2), radix: 8) }
        return Int(self.text, radix: 10)
    }

    /// Parses the digits after a prefix. A sign, which `Int` would accept, is not allowed there.
    private static func digits(_ text: Substring, radix: Int) -> Int? {
        guard let first = text.utf8.first, first != UInt8(ascii: "-"), first != UInt8(ascii: "+") else { return nil }
        return Int(text, radix: radix)
    }
}
