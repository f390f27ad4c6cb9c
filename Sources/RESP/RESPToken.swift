/// What a value of a reply is.
///
/// The first six are RESP2. The others come only where RESP3 was asked for, and only from hiredis 1.x.
package enum RESPKind: UInt8, Sendable {
    /// `+OK`: a short text of the server.
    case simpleString
    /// `-ERR ...`: an error text of the server.
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
    /// `#t`: a truth value.
    case boolean
    /// `%1`: keys and values in turn; its length counts both.
    case map
    /// `~2`: a list without order.
    case set
    /// `>2`: a message that answers no command.
    case push
    /// `=7`: a byte string that begins with its three-letter format and a colon.
    case verbatim
    /// `(123`: an integer of any size, as text.
    case bigNumber
    /// A byte string that was too long to be read: its bytes are its length, in decimal. See `RESPReader.LongValues`.
    case tooLong

    /// Whether values of this kind are followed by the values they hold.
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
/// The tokens of a reply stand in depth-first order: an aggregate is followed by its elements, each with all it holds.
package struct RESPToken: Sendable, Equatable {
    /// Where the value's bytes begin in the reply's arena; for an aggregate or null, where the next ones would begin.
    package let offset: UInt32
    /// The number of bytes, or for an aggregate the number of elements; 0 for null.
    ///
    /// Numbers and truth values keep their text (`-42`, `1.5`, `t`), so they read as bytes like any other.
    package let length: UInt32
    /// What the value is.
    package let kind: RESPKind

    /// Describes one value of a reply; the limits keep `offset` and `length` within 32 bits.
    @inline(__always)
    init(_ kind: RESPKind, offset: Int, length: Int) {
        self.kind = kind
        self.offset = UInt32(truncatingIfNeeded: offset)
        self.length = UInt32(truncatingIfNeeded: length)
    }

    /// The value's place in the arena; only for kinds that are not aggregates.
    package var range: Range<Int> { Int(self.offset)..<(Int(self.offset) + Int(self.length)) }
}
