/// The error that an expression evaluates to.
public struct EvaluationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The message: `division by zero`, `no such key: "name"`.
    public var message: String
    /// Whether the evaluation was ended by its cost limit, which `||` and `&&` do not absorb.
    public var isCostLimit = false

    /// Creates an error.
    public init(_ message: String) { self.message = message }

    /// The message.
    public var description: String { self.message }

    static let noOverload = EvaluationError("no such overload")
    static let overflow = EvaluationError("integer overflow")

    /// The error of a variable that the source has no value for.
    public static func missing(_ name: String) -> EvaluationError { EvaluationError("\"\(name)\" is missing") }

    static func noOverload(_ function: Function, _ arguments: [Value]) -> EvaluationError {
        let types = arguments.map { $0.typeName.rawValue }.joined(separator: ", ")
        return EvaluationError("no such overload: \(function.displayName) does not take (\(types))")
    }

    static func expected(_ what: String, _ found: Value) -> EvaluationError {
        EvaluationError("no such overload: expected \(what), found \(found.typeName.rawValue)")
    }

    static func range(_ what: String) -> EvaluationError { EvaluationError("\(what) out of range") }
}

/// Counts the work of one evaluation.
struct CostMeter {
    /// The work that may still be done.
    var remaining: Int

    /// Charges for work: about one unit per 10 ns.
    @inline(__always)
    mutating func charge(_ cost: Int) throws(EvaluationError) {
        self.remaining &-= cost
        if self.remaining < 0 { throw Self.exceeded }
    }

    /// Charges for work on bytes.
    mutating func charge(bytes: Int) throws(EvaluationError) { try self.charge(bytes >> 4) }

    /// Charges for a new text or list of this size in bytes.
    mutating func charge(newBytes: Int) throws(EvaluationError) { try self.charge(newBytes >> 3) }

    /// Charges for a new list or map that contains these values, by its size with everything in it.
    mutating func charge(containing values: [Value]) throws(EvaluationError) {
        for value in values { try self.charge(nested: value) }
    }

    /// Charges for a value that becomes part of a list or map.
    mutating func charge(nested value: Value) throws(EvaluationError) {
        try self.charge(2)
        switch value {
        case .list(let values): try self.charge(containing: values)
        case .map(let map):
            for pair in map.pairs {
                try self.charge(nested: pair.key)
                try self.charge(nested: pair.value)
            }
        case .optional(let optional):
            if let wrapped = optional.wrapped { try self.charge(nested: wrapped) }
        case .string(let text): try self.charge(bytes: text.utf8.count)
        case .bytes(let bytes): try self.charge(bytes: bytes.count)
        default: break
        }
    }

    private static var exceeded: EvaluationError {
        var error = EvaluationError("cost limit exceeded")
        error.isCostLimit = true
        return error
    }
}
