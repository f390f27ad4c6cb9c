/// A reply as a tree of Swift values, for commands off the hot path.
public indirect enum RESPValue: Sendable, Equatable {
    /// A short text from the server.
    case simpleString([UInt8])
    /// An error message from the server; invalid UTF-8 is replaced.
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
    /// A Boolean (RESP3).
    case boolean(Bool)
    /// Alternating keys and values (RESP3).
    case map([RESPValue])
    /// An unordered list (RESP3).
    case set([RESPValue])
    /// A message that is not a reply to a command (RESP3).
    case push([RESPValue])
    /// A byte string that begins with its three-letter format and a colon (RESP3).
    case verbatim([UInt8])
    /// An integer of any size, as text (RESP3).
    case bigNumber([UInt8])
    /// The length of a byte string that was too long to be read.
    case tooLong(Int)

    /// The text of a simple or byte string, or `nil` for other kinds and invalid UTF-8.
    public var string: String? {
        self.bytes.flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// The bytes of a simple or byte string, or `nil` for other kinds.
    public var bytes: [UInt8]? {
        switch self {
        case .simpleString(let bytes), .bulk(let bytes): bytes
        case .error, .integer, .null, .array, .double, .boolean, .map, .set, .push, .verbatim, .bigNumber, .tooLong:
            nil
        }
    }

    /// The number of an integer, or the decimal number in a simple or byte string; `nil` for other kinds.
    public var integer: Int64? {
        if case .integer(let value) = self { return value }
        return self.string.flatMap { Int64($0) }
    }

    /// The elements of an array, set or push, or the keys and values of a map; `nil` for other kinds.
    public var array: [RESPValue]? {
        switch self {
        case .array(let values), .map(let values), .set(let values), .push(let values): values
        case .simpleString, .error, .integer, .bulk, .null, .double, .boolean, .verbatim, .bigNumber, .tooLong: nil
        }
    }
}

extension RESPReply {
    /// Returns the reply as a tree; must not be called after its bytes were taken.
    package func value() -> RESPValue {
        var index = 0
        return self.value(at: &index)
    }

    /// The error message if the reply is an error, otherwise `nil`.
    package var errorMessage: String? {
        self[0].kind == .error ? self.string(of: self[0]) : nil
    }

    /// Returns the tree at `index` and advances `index` past it. The depth is at most the reader's nesting limit.
    private func value(at index: inout Int) -> RESPValue {
        let token = self[index]
        index += 1
        switch token.kind {
        case .simpleString: return .simpleString(self.array(of: token))
        case .error: return .error(self.string(of: token))
        // The reader has validated the number, so the fallback is never used.
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

    /// Returns the elements of an aggregate, the first at `index`, and advances `index` past the last.
    private func elements(_ token: RESPToken, _ index: inout Int) -> [RESPValue] {
        var values: [RESPValue] = []
        values.reserveCapacity(Int(token.length))
        for _ in 0..<token.length {
            values.append(self.value(at: &index))
        }
        return values
    }

    /// Returns a copy of a value's bytes.
    private func array(of token: RESPToken) -> [UInt8] {
        unsafe Array(self.bytes(of: token))
    }
}
