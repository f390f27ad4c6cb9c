/// Reads JSON text (RFC 8259) byte by byte: it says what stands where and keeps nothing but its place.
///
/// The text must be valid as a whole: UTF-8 without a byte order mark, strict in every comma, no NaN, no comments, no lone
/// surrogates. All offsets are in bytes, the first is 0. The text is given with each call and must be the same one.
struct JSONScanner {
    /// The most objects and lists one in the other: whether each is an object is one bit of a word.
    static let depthLimit = 64

    /// Where the next byte is to be read.
    private(set) var index = 0

    /// What kind of value it is.
    enum Kind: UInt8, BitwiseCopyable {
        case object, list, text, number, boolean, null
    }

    /// Text between its quotes.
    struct Text {
        var range: Range<Int>
        /// Whether there is a `\` in it, so that it is not what it says.
        var hasEscapes: Bool
    }

    /// A value and where it is: of a text what stands between the quotes.
    struct Value {
        var kind: Kind
        var range: Range<Int>
        var hasEscapes = false
    }

    // MARK: A piece at a time

    /// Goes to the document's object; it is an error where there is anything else.
    mutating func begin(_ bytes: Span<UInt8>) throws(JSONProblem) {
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            throw JSONProblem(offset: 0, message: "a byte order mark does not belong there")
        }
        self.skipSpace(bytes)
        guard self.isAt(UInt8(ascii: "{"), bytes) else { throw self.problem("expected an object", bytes) }
    }

    /// Whether the next byte is this one.
    func isAt(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        self.index < bytes.count && bytes[self.index] == byte
    }

    /// Goes into the object whose brace comes next.
    mutating func enterObject(_ bytes: Span<UInt8>) {
        self.index += 1
        self.skipSpace(bytes)
    }

    /// Goes to the value of the next member and returns the member's name; nil behind the object's last one.
    mutating func nextMember(_ bytes: Span<UInt8>, isFirst: Bool) throws(JSONProblem) -> Text? {
        if isFirst {
            if self.isAt(UInt8(ascii: "}"), bytes) {
                self.index += 1
                return nil
            }
        } else {
            self.skipSpace(bytes)
            if self.isAt(UInt8(ascii: "}"), bytes) {
                self.index += 1
                return nil
            }
            guard self.isAt(UInt8(ascii: ","), bytes) else { throw self.problem("expected , or }", bytes) }
            self.index += 1
            self.skipSpace(bytes)
        }
        return try self.memberName(bytes)
    }

    /// Makes sure that nothing but white space is left.
    mutating func end(_ bytes: Span<UInt8>) throws(JSONProblem) {
        self.skipSpace(bytes)
        if self.index < bytes.count { throw self.problem("expected nothing more", bytes) }
    }

    /// Reads one value with everything in it; `depth` is the number of objects and lists it stands in.
    mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONProblem) -> Value {
        let start = self.index
        if self.isAt(UInt8(ascii: "{"), bytes) {
            try self.skipContainer(bytes, depth)
            return Value(kind: .object, range: start..<self.index)
        }
        if self.isAt(UInt8(ascii: "["), bytes) {
            try self.skipContainer(bytes, depth)
            return Value(kind: .list, range: start..<self.index)
        }
        return try self.scalar(bytes)
    }

    // MARK: Pieces of the grammar

    private mutating func skipSpace(_ bytes: Span<UInt8>) {
        while self.index < bytes.count {
            let byte = bytes[self.index]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { return }
            self.index += 1
        }
    }

    private func problem(_ message: String, _ bytes: Span<UInt8>) -> JSONProblem {
        let isEnd = self.index >= bytes.count
        return JSONProblem(offset: self.index, message: isEnd ? "\(message), found the end" : message)
    }

    private mutating func memberName(_ bytes: Span<UInt8>) throws(JSONProblem) -> Text {
        guard self.isAt(UInt8(ascii: "\""), bytes) else { throw self.problem("expected a name in quotes", bytes) }
        let name = try self.text(bytes)
        self.skipSpace(bytes)
        guard self.isAt(UInt8(ascii: ":"), bytes) else { throw self.problem("expected :", bytes) }
        self.index += 1
        self.skipSpace(bytes)
        return name
    }

    /// Skips an object or a list without recursion, so that no text decides how much stack is used.
    private mutating func skipContainer(_ bytes: Span<UInt8>, _ depth: Int) throws(JSONProblem) {
        // The lowest bit tells whether the innermost open one is an object.
        var objects: UInt64 = 0
        var open = 0
        repeat {
            let isObject = self.isAt(UInt8(ascii: "{"), bytes)
            if isObject || self.isAt(UInt8(ascii: "["), bytes) {
                guard depth + open < Self.depthLimit else {
                    throw self.problem("more than \(Self.depthLimit) objects and lists one in the other", bytes)
                }
                self.index += 1
                self.skipSpace(bytes)
                objects = objects << 1 | (isObject ? 1 : 0)
                open += 1
                if !self.isAt(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"), bytes) {
                    if isObject { _ = try self.memberName(bytes) }
                    continue
                }
            } else {
                _ = try self.scalar(bytes)
            }
            try self.close(bytes, &objects, &open)
        } while open > 0
    }

    /// Closes all that ends behind a value and goes to the next value, if there is one.
    private mutating func close(
        _ bytes: Span<UInt8>, _ objects: inout UInt64, _ open: inout Int
    ) throws(JSONProblem) {
        while open > 0 {
            self.skipSpace(bytes)
            let isObject = objects & 1 == 1
            if self.isAt(UInt8(ascii: ","), bytes) {
                self.index += 1
                self.skipSpace(bytes)
                if isObject { _ = try self.memberName(bytes) }
                return
            }
            guard self.isAt(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"), bytes) else {
                throw self.problem(isObject ? "expected , or }" : "expected , or ]", bytes)
            }
            self.index += 1
            objects >>= 1
            open -= 1
        }
    }

    private mutating func scalar(_ bytes: Span<UInt8>) throws(JSONProblem) -> Value {
        let start = self.index
        guard start < bytes.count else { throw self.problem("expected a value", bytes) }
        switch bytes[start] {
        case UInt8(ascii: "\""):
            let text = try self.text(bytes)
            return Value(kind: .text, range: text.range, hasEscapes: text.hasEscapes)
        case UInt8(ascii: "-"), 0x30...0x39:
            try self.number(bytes)
            return Value(kind: .number, range: start..<self.index)
        case UInt8(ascii: "t"): return try self.word("true", .boolean, bytes)
        case UInt8(ascii: "f"): return try self.word("false", .boolean, bytes)
        case UInt8(ascii: "n"): return try self.word("null", .null, bytes)
        default: throw self.problem("expected a value", bytes)
        }
    }

    private mutating func word(_ word: StaticString, _ kind: Kind, _ bytes: Span<UInt8>) throws(JSONProblem) -> Value {
        let start = self.index
        for offset in 0..<word.utf8CodeUnitCount {
            // The literal's own bytes, and no further than it is long.
            let expected = unsafe word.utf8Start[offset]
            guard start + offset < bytes.count, bytes[start + offset] == expected else {
                throw self.problem("expected a value", bytes)
            }
        }
        self.index += word.utf8CodeUnitCount
        return Value(kind: kind, range: start..<self.index)
    }

    private mutating func number(_ bytes: Span<UInt8>) throws(JSONProblem) {
        if self.isAt(UInt8(ascii: "-"), bytes) { self.index += 1 }
        if self.isAt(UInt8(ascii: "0"), bytes) { self.index += 1 } else { try self.digits(bytes) }
        if self.isAt(UInt8(ascii: "."), bytes) {
            self.index += 1
            try self.digits(bytes)
        }
        if self.isAt(UInt8(ascii: "e"), bytes) || self.isAt(UInt8(ascii: "E"), bytes) {
            self.index += 1
            if self.isAt(UInt8(ascii: "+"), bytes) || self.isAt(UInt8(ascii: "-"), bytes) { self.index += 1 }
            try self.digits(bytes)
        }
    }

    private mutating func digits(_ bytes: Span<UInt8>) throws(JSONProblem) {
        let start = self.index
        while self.index < bytes.count, bytes[self.index] &- 0x30 <= 9 { self.index += 1 }
        if self.index == start { throw self.problem("expected a digit", bytes) }
    }

    private mutating func text(_ bytes: Span<UInt8>) throws(JSONProblem) -> Text {
        self.index += 1
        let start = self.index
        var hasEscapes = false
        while self.index < bytes.count {
            let byte = bytes[self.index]
            switch byte {
            case UInt8(ascii: "\""):
                self.index += 1
                return Text(range: start..<(self.index - 1), hasEscapes: hasEscapes)
            case UInt8(ascii: "\\"):
                hasEscapes = true
                let length = JSONText.escapeLength(bytes, at: self.index)
                guard length > 0 else { throw self.problem("an escape that means nothing", bytes) }
                self.index += length
            case 0..<0x20: throw self.problem("a control character in a text (write \\u and its number)", bytes)
            case 0x20..<0x80: self.index += 1
            default:
                let length = JSONText.characterLength(bytes, at: self.index)
                guard length > 0 else { throw self.problem("the text is not UTF-8", bytes) }
                self.index += length
            }
        }
        throw self.problem("expected the text's closing quote", bytes)
    }
}

/// What is wrong with a JSON text.
struct JSONProblem: Error, Equatable {
    /// The byte it begins at, the first is 0.
    var offset: Int
    /// What is wrong.
    var message: String
}
