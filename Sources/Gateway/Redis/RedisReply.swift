import NIOCore

/// The protocol that a connection speaks.
enum RedisProtocol: Int, Sendable {
    /// RESP2: no maps, no pushes.
    case two = 2
    /// RESP3.
    case three = 3
}

// Writes replies. Source: https://redis.io/docs/latest/develop/reference/protocol-spec/
extension ByteBuffer {
    /// Writes a header: a type byte, a number and CR LF.
    @inline(__always)
    mutating func writeHeader(_ type: UInt8, _ number: Int) {
        self.writeParts(maximum: ReplyCursor.headerBytes) { $0.writeHeader(type, number) }
    }

    /// Writes a list's header.
    mutating func writeArray(_ count: Int) { self.writeHeader(UInt8(ascii: "*"), count) }

    /// Writes the header of a map with this number of pairs; a list of twice as many values in RESP2.
    mutating func writeMap(_ pairs: Int, _ version: RedisProtocol) {
        if version == .three { self.writeHeader(UInt8(ascii: "%"), pairs) } else { self.writeArray(2 * pairs) }
    }

    /// Writes the header of a set; a list in RESP2.
    mutating func writeSet(_ count: Int, _ version: RedisProtocol) {
        self.writeHeader(version == .three ? UInt8(ascii: "~") : UInt8(ascii: "*"), count)
    }

    /// Writes the header of a message that answers no command; a list in RESP2.
    mutating func writePush(_ count: Int, _ version: RedisProtocol) {
        self.writeHeader(version == .three ? UInt8(ascii: ">") : UInt8(ascii: "*"), count)
    }

    /// Writes a byte string.
    @inline(__always)
    mutating func writeBulk(_ bytes: Span<UInt8>) {
        self.writeParts(maximum: ReplyCursor.bulkBytes(bytes.count)) { $0.writeBulk(bytes) }
    }

    /// Writes a byte string.
    mutating func writeBulk(_ bytes: some Collection<UInt8>) {
        self.writeHeader(UInt8(ascii: "$"), bytes.count)
        self.writeBytes(bytes)
        self.writeInteger(UInt16(0x0D0A))
    }

    /// Writes a text as a byte string.
    mutating func writeBulk(_ text: String) {
        self.writeHeader(UInt8(ascii: "$"), text.utf8.count)
        self.writeString(text)
        self.writeInteger(UInt16(0x0D0A))
    }

    /// Writes an integer.
    mutating func writeNumber(_ number: Int) { self.writeHeader(UInt8(ascii: ":"), number) }

    /// Writes the absence of a value.
    mutating func writeNull(_ version: RedisProtocol) {
        if version == .three { self.writeStaticString("_\r\n") } else { self.writeStaticString("$-1\r\n") }
    }

    /// Writes a short text without line ends.
    mutating func writeSimple(_ text: StaticString) {
        self.writeInteger(UInt8(ascii: "+"))
        self.writeStaticString(text)
        self.writeInteger(UInt16(0x0D0A))
    }

    /// Writes an error: a code and a message. Control characters, which could end the line, become blanks.
    mutating func writeError(_ text: String) {
        self.writeInteger(UInt8(ascii: "-"))
        self.writeBytes(text.utf8.map { $0 < 0x20 || $0 == 0x7F ? 0x20 : $0 })
        self.writeInteger(UInt16(0x0D0A))
    }

    /// Writes a text for people; a byte string in RESP2.
    mutating func writeVerbatim(_ text: String, _ version: RedisProtocol) {
        guard version == .three else { return self.writeBulk(text) }
        self.writeHeader(UInt8(ascii: "="), text.utf8.count + 4)
        self.writeStaticString("txt:")
        self.writeString(text)
        self.writeInteger(UInt16(0x0D0A))
    }
}
