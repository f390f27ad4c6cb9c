/// The kind of a value in a reply.
///
/// The first six are RESP2. The others occur only if RESP3 was requested, and only with hiredis 1.x.
package enum RESPKind: UInt8, Sendable {
    /// `+OK`: a short text from the server.
    case simpleString
    /// `-ERR ...`: an error message from the server.
    case error
    /// `:42`: a signed 64-bit integer.
    case integer
    /// `$3`: a byte string.
    case bulkString
    /// `$-1`, `*-1` or `_`: no value.
    case null
    /// `*2`: a list of values.
    case array
    /// `,1.5`: a floating-point number.
    case double
    /// `#t`: a Boolean.
    case boolean
    /// `%1`: alternating keys and values; the length counts both.
    case map
    /// `~2`: an unordered list.
    case set
    /// `>2`: a message that is not a reply to a command.
    case push
    /// `=7`: a byte string that begins with its three-letter format and a colon.
    case verbatim
    /// `(123`: an integer of any size, as text.
    case bigNumber
    /// A byte string that was too long to be read: its bytes are its length in decimal. See `RESPReader.LongValues`.
    case tooLong

    /// Whether values of this kind are followed by their elements.
    package var isAggregate: Bool {
        switch self {
        case .array, .map, .set, .push: true
        case .simpleString, .error, .integer, .bulkString, .null, .double, .boolean, .verbatim, .bigNumber, .tooLong:
            false
        }
    }
}

/// One value of a flat reply.
///
/// The tokens of a reply are in depth-first order: an aggregate is followed by its elements, each with everything
/// inside it.
package struct RESPToken: Sendable, Equatable {
    /// The offset of the value's bytes in the reply's arena; for an aggregate or null, the offset of the next bytes.
    package let offset: UInt32
    /// The number of bytes, or for an aggregate the number of elements; 0 for null.
    ///
    /// Numbers and Booleans keep their text (`-42`, `1.5`, `t`), so they can be read as bytes like other values.
    package let length: UInt32
    /// The kind of the value.
    package let kind: RESPKind

    /// Creates a token; the limits keep `offset` and `length` within 32 bits.
    @inline(__always)
    init(_ kind: RESPKind, offset: Int, length: Int) {
        self.kind = kind
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.length = UInt32(truncatingIfNeeded: length)
    }

    /// The range of the value's bytes in the arena; only for kinds that are not aggregates.
    package var range: Range<Int> { Int(self.offset)..<(Int(self.offset) + Int(self.length)) }
}
