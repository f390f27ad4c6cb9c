/// Access to the elements of lists and the fields of maps.
enum Elements {
    /// Returns an element, or a field; of an optional, as an optional.
    static func value(_ container: Value, _ key: Value, isIndex: Bool) throws(EvaluationError) -> Value {
        if case .optional = container { return .optional(try Self.optional(container, key, isIndex: isIndex)) }
        guard let value = try Self.find(container, key, isIndex: isIndex) else {
            switch container {
            case .list: throw EvaluationError("index out of range: \(Texts.shown(key))")
            default: throw EvaluationError("no such key: \(Texts.shown(key))")
            }
        }
        return value
    }

    /// Returns an element or a field, if it exists.
    static func optional(
        _ container: Value, _ key: Value, isIndex: Bool
    ) throws(EvaluationError) -> OptionalValue {
        guard case .optional(let optional) = container else {
            return try Self.find(container, key, isIndex: isIndex).map { OptionalValue($0) } ?? .none
        }
        guard let wrapped = optional.wrapped else { return .none }
        return try Self.find(wrapped, key, isIndex: isIndex).map { OptionalValue($0) } ?? .none
    }

    /// Returns whether a field exists.
    static func has(_ container: Value, _ field: String) throws(EvaluationError) -> Bool {
        if case .optional(let optional) = container, optional.wrapped == nil { return false }
        return try Self.optional(container, .string(field), isIndex: false).wrapped != nil
    }

    private static func find(_ container: Value, _ key: Value, isIndex: Bool) throws(EvaluationError) -> Value? {
        switch container {
        case .map(let map): return map.value(key)
        case .list(let values) where isIndex:
            let index: Int64?
            switch key {
            case .int(let value): index = value
            case .uint(let value): index = Int64(exactly: value)
            case .double(let value): index = Int64(exactly: value)
            default: throw EvaluationError("a list index must be int, found \(key.typeName.rawValue)")
            }
            guard let index, index >= 0, index < values.count else { return nil }
            return values[Int(index)]
        default:
            throw EvaluationError(
                isIndex
                    ? "\(container.typeName.rawValue) has no elements"
                    : "\(container.typeName.rawValue) has no field \(Texts.shown(key))")
        }
    }
}
