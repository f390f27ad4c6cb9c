extension Lexer {
    /// Reads a number.
    mutating func number() throws(OffsetProblem) -> Token.Kind {
        let start = self.index
        if self.peek() == 0x30, self.peek(1) == 0x78 { return try self.hexadecimal() }
        while self.peek().isDigit { self.index += 1 }
        var isDouble = false
        if self.peek() == 0x2E, self.peek(1).isDigit {
            isDouble = true
            self.index += 1
            while self.peek().isDigit { self.index += 1 }
        }
        if self.peek() | 0x20 == 0x65 {
            let signed = self.peek(1) == 0x2B || self.peek(1) == 0x2D
            if self.peek(signed ? 2 : 1).isDigit {
                isDouble = true
                self.index += signed ? 2 : 1
                while self.peek().isDigit { self.index += 1 }
            }
        }
        let text = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        let isUnsigned = !isDouble && self.peek() | 0x20 == 0x75
        if isUnsigned { self.index += 1 }
        try self.endNumber(start)
        if isDouble {
            guard let value = Double(text), value.isFinite else {
                throw OffsetProblem(offset: start, message: "number out of range")
            }
            return .double(value)
        }
        guard let value = UInt64(text) else { throw OffsetProblem(offset: start, message: "number out of range") }
        return .integer(value, isUnsigned: isUnsigned)
    }

    private mutating func hexadecimal() throws(OffsetProblem) -> Token.Kind {
        let start = self.index
        self.index += 2
        let digits = self.index
        while self.peek().hexValue != nil { self.index += 1 }
        let text = String(decoding: self.bytes[digits..<self.index], as: UTF8.self)
        let isUnsigned = self.peek() | 0x20 == 0x75
        if isUnsigned { self.index += 1 }
        try self.endNumber(start)
        guard !text.isEmpty else { throw OffsetProblem(offset: start, message: "expected hexadecimal digits") }
        guard let value = UInt64(text, radix: 16) else {
            throw OffsetProblem(offset: start, message: "number out of range")
        }
        return .integer(value, isUnsigned: isUnsigned)
    }

    /// Refuses a name that follows a number without a blank.
    private func endNumber(_ start: Int) throws(OffsetProblem) {
        if self.peek().isNamePart { throw OffsetProblem(offset: start, message: "malformed number") }
    }

    /// Reads a string or bytes literal from its quotation mark.
    mutating func quoted(isRaw: Bool, isBytes: Bool) throws(OffsetProblem) -> Token.Kind {
        let start = self.index
        let quote = self.peek()
        let isTriple = self.peek(1) == quote && self.peek(2) == quote
        self.index += isTriple ? 3 : 1
        var output: [UInt8] = []
        while true {
            guard self.index < self.bytes.count else {
                throw OffsetProblem(offset: start, message: "unterminated string")
            }
            let byte = self.peek()
            if byte == quote, !isTriple || (self.peek(1) == quote && self.peek(2) == quote) {
                self.index += isTriple ? 3 : 1
                break
            }
            if !isTriple, byte == 0x0A || byte == 0x0D {
                throw OffsetProblem(offset: start, message: "unterminated string")
            }
            if byte == 0x5C, !isRaw {
                try self.escape(isBytes, &output)
            } else {
                output.append(byte)
                self.index += 1
            }
        }
        return isBytes ? .bytes(output) : .string(String(decoding: output, as: UTF8.self))
    }

    /// Reads an escape sequence.
    private mutating func escape(_ isBytes: Bool, _ output: inout [UInt8]) throws(OffsetProblem) {
        let start = self.index
        let byte = self.peek(1)
        self.index += 2
        let code: UInt32
        switch byte {
        case 0x61: return output.append(0x07)
        case 0x62: return output.append(0x08)
        case 0x66: return output.append(0x0C)
        case 0x6E: return output.append(0x0A)
        case 0x72: return output.append(0x0D)
        case 0x74: return output.append(0x09)
        case 0x76: return output.append(0x0B)
        case 0x5C, 0x3F, 0x22, 0x27, 0x60: return output.append(byte)
        case 0x78, 0x58: code = try self.digits(2, radix: 16, start)
        case 0x75 where !isBytes: code = try self.digits(4, radix: 16, start)
        case 0x55 where !isBytes: code = try self.digits(8, radix: 16, start)
        case 0x30...0x33:
            self.index -= 1
            code = try self.digits(3, radix: 8, start)
        default: throw OffsetProblem(offset: start, message: "invalid escape sequence")
        }
        if isBytes { return output.append(UInt8(truncatingIfNeeded: code)) }
        guard let scalar = Unicode.Scalar(code) else {
            throw OffsetProblem(offset: start, message: "escape sequence of no Unicode character")
        }
        output.append(contentsOf: String(scalar).utf8)
    }

    private mutating func digits(_ count: Int, radix: UInt32, _ start: Int) throws(OffsetProblem) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = self.peek().hexValue, digit < radix else {
                throw OffsetProblem(offset: start, message: "invalid escape sequence")
            }
            value = value &* radix &+ digit
            self.index += 1
        }
        return value
    }
}
