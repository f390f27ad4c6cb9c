/// A strict JSON reader (RFC 8259) that returns the positions of values and keeps only its own position.
///
/// It is the only reader of JSON documents that come from a server. The complete document must be valid: UTF-8 without
/// a byte order mark, no trailing comma, no NaN, no comment, no unpaired surrogate. All offsets are in bytes from 0.
/// Each call must be passed the same bytes.
package struct JSONScanner {
    /// The maximum nesting of objects and lists; a 64-bit word holds one bit per level.
    package static let depthLimit = 64
    /// The maximum size of a document in bytes (16 MiB): far above any event; a batch may contain many.
    package static let sizeLimit = 16 << 20

    /// The offset of the next byte to read.
    package private(set) var index = 0

    /// The kind of a value.
    package enum Kind: UInt8, BitwiseCopyable {
        case object, list, text, number, boolean, null
    }

    /// A string without its quotes.
    package struct Text {
        /// The bytes between the quotes.
        package var range: Range<Int>
        /// Whether the string contains escapes, so that its bytes differ from its meaning.
        package var hasEscapes: Bool
    }

    /// A value and its position; the range of a string excludes the quotes.
    package struct Value {
        /// The kind.
        package var kind: Kind
        /// The bytes of the value.
        package var range: Range<Int>
        /// Whether the value is a string that contains escapes.
        package var hasEscapes: Bool

        /// Creates a value at a position.
        package init(kind: Kind, range: Range<Int>, hasEscapes: Bool = false) {
            self.kind = kind
            self.range = range
            self.hasEscapes = hasEscapes
        }

        /// The bytes of the value, including the quotes of a string.
        package var source: Range<Int> {
            self.kind == .text ? (self.range.lowerBound - 1)..<(self.range.upperBound + 1) : self.range
        }

        /// Appends the value as text: a string without its escapes, any other value as in the document.
        package func appendText(of bytes: Span<UInt8>, to output: inout [UInt8]) {
            let written = bytes.extracting(self.range)
            if self.hasEscapes { return JSONString.unescape(written, into: &output) }
            output.reserveCapacity(output.count + written.count)
            for index in written.indices { output.append(written[index]) }
        }
    }

    /// Creates a scanner at the beginning of a document, or at the beginning of a value that was scanned before.
    package init(at index: Int = 0) {
        self.index = index
    }

    /// Reads a document that consists of any value.
    ///
    /// - Throws: `JSONProblem` if the document is longer than `sizeLimit` or is not valid.
    package static func document(_ bytes: Span<UInt8>) throws(JSONProblem) -> Value {
        var scanner = JSONScanner()
        try scanner.beginText(bytes)
        let value = try scanner.value(bytes, depth: 0)
        try scanner.end(bytes, after: "value")
        return value
    }

    // MARK: One piece at a time

    /// Moves to the object of the document.
    ///
    /// - Throws: `JSONProblem` if the document is longer than `sizeLimit` or begins with anything but an object.
    package mutating func begin(_ bytes: Span<UInt8>) throws(JSONProblem) {
        try self.beginText(bytes)
        guard self.isAt(UInt8(ascii: "{"), bytes) else { throw self.problem("expected an object", bytes) }
    }

    private mutating func beginText(_ bytes: Span<UInt8>) throws(JSONProblem) {
        guard bytes.count <= Self.sizeLimit else {
            throw JSONProblem(offset: Self.sizeLimit, message: "longer than \(Self.sizeLimit) bytes")
        }
        if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF {
            throw JSONProblem(offset: 0, message: "byte order mark not allowed")
        }
        self.skipSpace(bytes)
    }

    /// Whether the next byte equals `byte`.
    package func isAt(_ byte: UInt8, _ bytes: Span<UInt8>) -> Bool {
        self.index < bytes.count && bytes[self.index] == byte
    }

    /// Enters the object whose brace is the next byte.
    package mutating func enterObject(_ bytes: Span<UInt8>) {
        self.index += 1
        self.skipSpace(bytes)
    }

    /// Moves to the value of the next member and returns the member's name, or `nil` after the last member.
    package mutating func nextMember(_ bytes: Span<UInt8>, isFirst: Bool) throws(JSONProblem) -> Text? {
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

    /// Enters the list whose bracket is the next byte.
    package mutating func enterList(_ bytes: Span<UInt8>) {
        self.index += 1
        self.skipSpace(bytes)
    }

    /// Moves to the next element of a list and returns whether there is one.
    package mutating func nextElement(_ bytes: Span<UInt8>, isFirst: Bool) throws(JSONProblem) -> Bool {
        if !isFirst { self.skipSpace(bytes) }
        if self.isAt(UInt8(ascii: "]"), bytes) {
            self.index += 1
            return false
        }
        if isFirst { return true }
        guard self.isAt(UInt8(ascii: ","), bytes) else { throw self.problem("expected , or ]", bytes) }
        self.index += 1
        self.skipSpace(bytes)
        return true
    }

    /// Checks that only white space follows.
    package mutating func end(_ bytes: Span<UInt8>, after document: String = "object") throws(JSONProblem) {
        self.skipSpace(bytes)
        if self.index < bytes.count { throw self.problem("unexpected data after the \(document)", bytes) }
    }

    /// Reads one value with everything inside it; `depth` is the number of objects and lists around it.
    package mutating func value(_ bytes: Span<UInt8>, depth: Int) throws(JSONProblem) -> Value {
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
        return JSONProblem(offset: self.index, message: isEnd ? "\(message), found the end of the text" : message)
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

    /// Skips an object or a list without recursion, so that no document decides how much stack is used.
    private mutating func skipContainer(_ bytes: Span<UInt8>, _ depth: Int) throws(JSONProblem) {
        // The lowest bit is set if the innermost open container is an object.
        var objects: UInt64 = 0
        var open = 0
        repeat {
            let isObject = self.isAt(UInt8(ascii: "{"), bytes)
            if isObject || self.isAt(UInt8(ascii: "["), bytes) {
                guard depth + open < Self.depthLimit else {
                    throw self.problem("nested more than \(Self.depthLimit) levels deep", bytes)
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

    /// Closes the containers that end after a value and moves to the next value, if there is one.
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
            // In bounds: `offset` is less than the literal's length.
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
                let length = JSONString.escapeLength(bytes, at: self.index)
                guard length > 0 else { throw self.problem("invalid escape sequence", bytes) }
                self.index += length
            case 0..<0x20: throw self.problem("unescaped control character in a string", bytes)
            case 0x20..<0x80: self.index += 1
            default:
                let length = JSONString.characterLength(bytes, at: self.index)
                guard length > 0 else { throw self.problem("invalid UTF-8", bytes) }
                self.index += length
            }
        }
        throw self.problem("expected a closing quote", bytes)
    }
}

/// An error in a JSON document.
package struct JSONProblem: Error, Equatable {
    /// The offset of the error in bytes from 0.
    package var offset: Int
    /// The error.
    package var message: String

    /// Creates an error.
    package init(offset: Int, message: String) {
        self.offset = offset
        self.message = message
    }
}
