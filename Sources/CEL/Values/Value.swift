/// A value of an expression.
public enum Value: Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case uint(UInt64)
    case double(Double)
    case string(String)
    case bytes([UInt8])
    case list([Value])
    case map(MapValue)
    case timestamp(Timestamp)
    case duration(Duration)
    case type(TypeName)
    case optional(OptionalValue)
    case ip(IPAddress)
    case cidr(AddressRange)

    /// The name of the value's type.
    public var typeName: TypeName {
        switch self {
        case .null: .null
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .bytes: .bytes
        case .list: .list
        case .map: .map
        case .timestamp: .timestamp
        case .duration: .duration
        case .type: .type
        case .optional: .optional
        case .ip: .ip
        case .cidr: .cidr
        }
    }

    /// The text of a scalar value as `string(value)` returns it; of bytes and containers, the name of their type.
    public var text: String { Conversions.text(self) }

    /// Whether this is the value that a field of the type has if nothing was written to it.
    var isZero: Bool {
        switch self {
        case .null: true
        case .bool(let value): !value
        case .int(let value): value == 0
        case .uint(let value): value == 0
        case .double(let value): value == 0
        case .string(let value): value.isEmpty
        case .bytes(let value): value.isEmpty
        case .list(let value): value.isEmpty
        case .map(let value): value.pairs.isEmpty
        case .timestamp(let value): value == Timestamp(seconds: 0)
        case .duration(let value): value == Duration(seconds: 0)
        case .optional(let value): value.wrapped == nil
        case .type, .ip, .cidr: false
        }
    }
}

/// The name of a type, which is itself a value.
public enum TypeName: String, Sendable, CaseIterable {
    case null = "null_type"
    case bool, int, uint, double, string, bytes, list, map, type
    case timestamp = "google.protobuf.Timestamp"
    case duration = "google.protobuf.Duration"
    case optional = "optional_type"
    case ip = "net.IP"
    case cidr = "net.CIDR"
}

/// An optional value; a reference, because a value cannot contain itself.
public final class OptionalValue: Sendable {
    /// The value, or `nil` for `optional.none()`.
    public let wrapped: Value?

    /// Wraps a value.
    public init(_ wrapped: Value?) { self.wrapped = wrapped }

    /// `optional.none()`.
    static let none = OptionalValue(nil)
}

/// A map, which keeps the order of its pairs.
public struct MapValue: Sendable {
    /// A key and its value.
    public typealias Pair = (key: Value, value: Value)

    /// The pairs in the order in which they were added.
    public private(set) var pairs: [Pair] = []
    private var index: [MapKey: Int] = [:]

    /// Creates an empty map.
    public init() {}

    /// Adds a pair.
    ///
    /// - Returns: Whether it was added: `false` if there is an equal key, or the key is not a bool, int, uint or string.
    public mutating func add(_ key: Value, _ value: Value) -> Bool {
        guard let hashed = MapKey(key), self.index[hashed] == nil else { return false }
        self.index[hashed] = self.pairs.count
        self.pairs.append((key, value))
        return true
    }

    /// Returns the value of an equal key. Numbers of different types are equal if they have the same value.
    public func value(_ key: Value) -> Value? {
        guard let hashed = MapKey(key, isLookup: true), let at = self.index[hashed] else { return nil }
        return self.pairs[at].value
    }
}

/// A map key in the form in which equal keys are the same.
private enum MapKey: Hashable {
    case bool(Bool)
    case negative(Int64)
    case positive(UInt64)
    case text([UInt8])

    init?(_ key: Value, isLookup: Bool = false) {
        switch key {
        case .bool(let value): self = .bool(value)
        case .int(let value): self = value < 0 ? .negative(value) : .positive(UInt64(value))
        case .uint(let value): self = .positive(value)
        // Not the string itself: its equality ignores how characters are composed.
        case .string(let value): self = .text(Array(value.utf8))
        case .double(let value) where isLookup:
            if let whole = Int64(exactly: value) {
                self = whole < 0 ? .negative(whole) : .positive(UInt64(whole))
            } else if let whole = UInt64(exactly: value) {
                self = .positive(whole)
            } else {
                return nil
            }
        default: return nil
        }
    }
}
