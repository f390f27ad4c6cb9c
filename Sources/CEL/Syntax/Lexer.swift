/// Splits the text of an expression into tokens.
struct Lexer {
    /// The text.
    let bytes: [UInt8]
    /// The offset of the next byte.
    var index = 0

    /// Creates a lexer at the start of a text.
    init(_ text: String) { self.bytes = Array(text.utf8) }

    /// Returns the byte at a distance from the next one, 0 beyond the end.
    func peek(_ distance: Int = 0) -> UInt8 {
        let at = self.index + distance
        return at < self.bytes.count ? self.bytes[at] : 0
    }

    /// Returns all tokens; the last is `end`.
    static func tokens(of text: String) throws(OffsetProblem) -> [Token] {
        var lexer = Lexer(text)
        var tokens: [Token] = []
        repeat { tokens.append(try lexer.next()) } while tokens[tokens.count - 1].kind != .end
        return tokens
    }

    /// Returns the next token.
    mutating func next() throws(OffsetProblem) -> Token {
        self.skipBlanks()
        let start = self.index
        let kind = try self.kind()
        return Token(kind: kind, offset: start, end: self.index)
    }

    private mutating func skipBlanks() {
        while self.index < self.bytes.count {
            switch self.peek() {
            case 0x20, 0x09, 0x0A, 0x0C, 0x0D: self.index += 1
            case 0x2F where self.peek(1) == 0x2F:
                while self.index < self.bytes.count, self.peek() != 0x0A { self.index += 1 }
            default: return
            }
        }
    }

    private mutating func kind() throws(OffsetProblem) -> Token.Kind {
        guard self.index < self.bytes.count else { return .end }
        let byte = self.peek()
        if byte.isDigit || (byte == 0x2E && self.peek(1).isDigit) { return try self.number() }
        if byte == 0x22 || byte == 0x27 { return try self.quoted(isRaw: false, isBytes: false) }
        if byte.isNameStart {
            if let prefix = self.stringPrefix() {
                self.index += prefix.length
                return try self.quoted(isRaw: prefix.isRaw, isBytes: prefix.isBytes)
            }
            let start = self.index
            while self.peek().isNamePart { self.index += 1 }
            return .identifier(String(decoding: self.bytes[start..<self.index], as: UTF8.self))
        }
        if byte == 0x60 { return try self.quotedName() }
        for (spelling, symbol) in Symbol.table
        where spelling[0] == byte && (spelling.count == 1 || self.peek(1) == spelling[1]) {
            self.index += spelling.count
            return .symbol(symbol)
        }
        let hint =
            switch byte {
            case 0x3D: " (did you mean \"==\"?)"
            case 0x26: " (did you mean \"&&\"?)"
            case 0x7C: " (did you mean \"||\"?)"
            default: ""
            }
        throw OffsetProblem(offset: self.index, message: "unexpected character \(self.character())\(hint)")
    }

    /// Returns the prefix of a string literal: `r`, `b`, `br` or `rb` in either case before a quotation mark.
    private func stringPrefix() -> (length: Int, isRaw: Bool, isBytes: Bool)? {
        var isRaw = false
        var isBytes = false
        for length in 0..<3 {
            switch self.peek(length) {
            case 0x22, 0x27: return length == 0 ? nil : (length, isRaw, isBytes)
            case 0x72, 0x52:
                if isRaw { return nil }
                isRaw = true
            case 0x62, 0x42:
                if isBytes { return nil }
                isBytes = true
            default: return nil
            }
        }
        return nil
    }

    /// Reads a name in backquotes.
    private mutating func quotedName() throws(OffsetProblem) -> Token.Kind {
        let start = self.index
        self.index += 1
        while self.peek().isNamePart || [0x2E, 0x2D, 0x2F, 0x20].contains(self.peek()) { self.index += 1 }
        guard self.peek() == 0x60, self.index > start + 1 else {
            throw OffsetProblem(offset: start, message: "invalid name in backquotes")
        }
        self.index += 1
        return .quotedIdentifier(String(decoding: self.bytes[(start + 1)..<(self.index - 1)], as: UTF8.self))
    }

    /// The next character as messages show it.
    private func character() -> String {
        let text = String(decoding: self.bytes[self.index...].prefix(4), as: UTF8.self)
        guard let first = text.unicodeScalars.first else { return "\"\"" }
        return first.properties.generalCategory == .control
            ? "U+" + String(first.value, radix: 16, uppercase: true) : "\"\(first)\""
    }
}

extension UInt8 {
    /// Whether this is an ASCII digit.
    var isDigit: Bool { self >= 0x30 && self <= 0x39 }
    /// Whether a name may start with this byte.
    var isNameStart: Bool { self == 0x5F || (self | 0x20 >= 0x61 && self | 0x20 <= 0x7A) }
    /// Whether a name may contain this byte.
    var isNamePart: Bool { self.isNameStart || self.isDigit }
    /// The value of a hexadecimal digit.
    var hexValue: UInt32? {
        switch self {
        case 0x30...0x39: UInt32(self) - 0x30
        case 0x41...0x46: UInt32(self) - 0x37
        case 0x61...0x66: UInt32(self) - 0x57
        default: nil
        }
    }
}
