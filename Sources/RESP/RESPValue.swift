/// A reply as a tree of Swift values, for commands off the hot path.
package indirect enum RESPValue: Sendable, Equatable {
    /// A short text of the server.
    case simpleString([UInt8])
    /// An error text of the server; what is not UTF-8 is replaced.
    case error(String)
    /// A signed integer.
    case integer(Int64)
    /// A byte string.
    case bulk([UInt8])
    /// No value.
    case null
    /// A list.
    case array([RESPValue])
    /// A floating-point number (RESP3).
    case double(Double)
    /// A truth value (RESP3).
    case boolean(Bool)
    /// Keys and values in turn (RESP3).
    case map([RESPValue])
    /// A list without order (RESP3).
    case set([RESPValue])
    /// A message that answers no command (RESP3).
    case push([RESPValue])
    /// A byte string that begins with its three-letter format and a colon (RESP3).
    case verbatim([UInt8])
    /// An integer of any size, as text (RESP3).
    case bigNumber([UInt8])
    /// A byte string of so many bytes that was too long to be read.
    case tooLong(Int)

    /// The text of a simple or byte string, nil for other kinds and where the bytes are not UTF-8.
    package var string: String? {
        self.bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The bytes of a simple or byte string, nil for other kinds.
    package var bytes: [UInt8]? {
        switch self {
        case .simpleString(let bytes), .bulk(let bytes): bytes
        case .error, .integer, .null, .array, .double, .boolean, .map, .set, .push, .verbatim, .bigNumber, .tooLong:
            nil
        }
    }

    /// The number of an integer, or that a simple or byte string spells in decimal; nil for other kinds.
    package var integer: Int64? {
        if case .integer(let value) = self { return value }
        return self.string.flatMap { Int64($0) }
    }

    /// The elements of an array, set or push, and the keys and values of a map; nil for other kinds.
    package var array: [RESPValue]? {
        switch self {
        case .array(let values), .map(let values), .set(let values), .push(let values): values
        case .simpleString, .error, .integer, .bulk, .null, .double, .boolean, .verbatim, .bigNumber, .tooLong: nil
        }
    }
}

extension RESPReply {
    /// The reply as a tree; not to be called after its bytes were taken.
    package func value() -> RESPValue {
        var index = 0
        return self.value(at: &index)
    }

    /// The error text, where the reply is an error.
    package var errorMessage: String? {
        self[0].kind == .error ? self.string(of: self[0]) : nil
    }

    /// The tree that begins at `index`, which moves behind it. As deep as the reader's nesting limit, at most.
    private func value(at index: inout Int) -> RESPValue {
        let token = self[index]
        index += 1
        switch token.kind {
        case .simpleString: return .simpleString(self.array(of: token))
        case .error: return .error(self.string(of: token))
        // The reader has checked the number, so the fallback is never taken.
        case .integer: return .integer(self.integer(of: token) ?? 0)
        case .bulkString: return .bulk(self.array(of: token))
        case .null: return .null
        case .array: return .array(self.elements(token, &index))
        case .double: return .double(Double(self.string(of: token)) ?? .nan)
        case .boolean: return .boolean(self.string(of: token) == "t")
        case .map: return .map(self.elements(token, &index))
        case .set: return .set(self.elements(token, &index))
        case .push: return .push(self.elements(token, &index))
        case .verbatim: return .verbatim(self.array(of: token))
        case .bigNumber: return .bigNumber(self.array(of: token))
        case .tooLong: return .tooLong(self.integer(of: token).map { Int(clamping: $0) } ?? 0)
        }
    }

    /// The elements of an aggregate, the first of them at `index`, which moves behind the last.
    private func elements(_ token: RESPToken, _ index: inout Int) -> [RESPValue] {
        var values: [RESPValue] = []
        values.reserveCapacity(Int(token.length))
        for _ in 0..<token.length {
            values.append(self.value(at: &index))
        }
        return values
    }

    /// A copy of a value's bytes.
    private func array(of token: RESPToken) -> [UInt8] {
        unsafe Array(self.bytes(of: token))
    }
}
