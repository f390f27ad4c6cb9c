/// The part of the protobuf wire format that `Check` needs: fields of messages, without generated code.
///
/// Source: https://protobuf.dev/programming-guides/encoding/
enum Protobuf {
    /// The type of a field whose value is preceded by its length: texts, bytes and messages.
    private static let lengthDelimited: UInt64 = 2
    /// Bytes of the longest varint.
    private static let varintBytes = 10

    /// Reads a message and passes each text, byte string or message in it to `body`, as number and range of the field;
    /// other fields are skipped.
    ///
    /// - Returns: `false` if the message is malformed, or if `body` returns `false`, which ends the reading.
    static func read(_ message: Span<UInt8>, _ body: (UInt64, Range<Int>) -> Bool) -> Bool {
        var position = 0
        while position < message.count {
            guard let tag = self.varint(message, &position), tag >> 3 != 0 else { return false }
            let length: UInt64
            switch tag & 7 {
            case 0:
                guard self.varint(message, &position) != nil else { return false }
                continue
            case 1: length = 8
            case self.lengthDelimited:
                guard let announced = self.varint(message, &position) else { return false }
                length = announced
            case 5: length = 4
            // Groups, which are not used any more, and unassigned types.
            default: return false
            }
            guard length <= UInt64(message.count - position) else { return false }
            let range = position..<position + Int(length)
            position = range.upperBound
            if tag & 7 == self.lengthDelimited, !body(tag >> 3, range) { return false }
        }
        return true
    }

    /// Reads a number of 7 bits per byte; returns `nil` if it is incomplete or too long.
    private static func varint(_ message: Span<UInt8>, _ position: inout Int) -> UInt64? {
        var number: UInt64 = 0
        for index in 0..<self.varintBytes {
            guard position < message.count else { return nil }
            let byte = message[position]
            position += 1
            // The tenth byte has room for one bit.
            if index == self.varintBytes - 1, byte > 1 { return nil }
            number |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte < 0x80 { return number }
        }
        return nil
    }
}

extension [UInt8] {
    /// Appends a text, a byte string or a message as a field.
    mutating func appendField(_ number: UInt64, _ value: some Collection<UInt8>) {
        self.appendVarint(number << 3 | 2)
        self.appendVarint(UInt64(value.count))
        self.append(contentsOf: value)
    }

    /// Appends a number as a field.
    mutating func appendField(_ number: UInt64, _ value: Int) {
        self.appendVarint(number << 3)
        self.appendVarint(UInt64(value))
    }

    private mutating func appendVarint(_ number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            self.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        self.append(UInt8(rest))
    }
}
