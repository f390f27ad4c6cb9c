/// The functions of IP addresses and address ranges.
enum Networks {
    /// Evaluates a function of a text that should be an address or a range.
    ///
    /// - Returns: `nil` if the function is none of these.
    static func apply(_ function: Function, _ text: String) throws(EvaluationError) -> Value? {
        switch function {
        case .isIP: return .bool(IPAddress(text) != nil)
        case .isCIDR: return .bool(AddressRange(text) != nil)
        case .ip: return .ip(try Self.address(text))
        case .cidr: return .cidr(try Self.range(text))
        case .isCanonical: return .bool(Comparison.sameBytes(try Self.address(text).description, text))
        default: return nil
        }
    }

    /// Evaluates a function of an address or a range.
    static func apply(_ function: Function, _ value: Value) throws(EvaluationError) -> Value {
        switch (function, value) {
        case (.family, .ip(let address)): return .int(Int64(address.family))
        case (.isUnspecified, .ip(let address)): return .bool(address.isUnspecified)
        case (.isLoopback, .ip(let address)): return .bool(address.isLoopback)
        case (.isGlobalUnicast, .ip(let address)): return .bool(address.isGlobalUnicast)
        case (.isLinkLocalMulticast, .ip(let address)): return .bool(address.isLinkLocalMulticast)
        case (.isLinkLocalUnicast, .ip(let address)): return .bool(address.isLinkLocalUnicast)
        case (.ip, .cidr(let range)): return .ip(range.address)
        case (.masked, .cidr(let range)): return .cidr(range.masked)
        case (.prefixLength, .cidr(let range)): return .int(Int64(range.prefixLength))
        default: throw .noOverload(function, [value])
        }
    }

    /// Evaluates `containsIP` and `containsCIDR`.
    static func contains(_ function: Function, _ left: Value, _ right: Value) throws(EvaluationError) -> Value {
        switch (function, left, right) {
        case (.containsIP, .cidr(let range), .ip(let address)): return .bool(range.contains(address))
        case (.containsIP, .cidr(let range), .string(let text)):
            return .bool(range.contains(try Self.address(text)))
        case (.containsCIDR, .cidr(let range), .cidr(let other)): return .bool(range.contains(other))
        case (.containsCIDR, .cidr(let range), .string(let text)): return .bool(range.contains(try Self.range(text)))
        default: throw .noOverload(function, [left, right])
        }
    }

    private static func address(_ text: String) throws(EvaluationError) -> IPAddress {
        guard let address = IPAddress(text) else {
            throw EvaluationError("\(Texts.shown(.string(text))) is not an IP address")
        }
        return address
    }

    private static func range(_ text: String) throws(EvaluationError) -> AddressRange {
        guard let range = AddressRange(text) else {
            throw EvaluationError("\(Texts.shown(.string(text))) is not an address range")
        }
        return range
    }
}
