/// Evaluates functions by the types of their arguments.
enum Functions {
    /// Evaluates a function of any number of arguments.
    static func apply(
        _ function: Function, _ values: [Value], _ meter: inout CostMeter,
        _ timeZone: ExpressionEnvironment.TimeZoneLookup?
    ) throws(EvaluationError) -> Value {
        switch values.count {
        case 1: return try Self.apply(function, values[0], &meter)
        case 2: return try Self.apply(function, values[0], values[1], &meter, timeZone)
        default: break
        }
        switch (function, values) {
        case (.optionalNone, let none) where none.isEmpty: return .optional(.none)
        case (.greatest, _), (.least, _): return try Numbers.extremum(function, values, &meter)
        case (.slice, _): return try Lists.slice(values, &meter)
        default: return try Texts.apply(function, values, &meter)
        }
    }

    /// Evaluates a function of one argument.
    static func apply(
        _ function: Function, _ value: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        switch (function, value) {
        case (.not, .bool(let value)): return .bool(!value)
        case (.negate, .int(let value)):
            let (result, overflow) = Int64(0).subtractingReportingOverflow(value)
            if overflow { throw .overflow }
            return .int(result)
        case (.negate, .double(let value)): return .double(-value)
        case (.dyn, _): return value
        case (.type, _): return .type(value.typeName)
        case (.bool, _), (.bytes, _), (.double, _), (.duration, _), (.int, _), (.string, _), (.timestamp, _),
            (.uint, _):
            return try Conversions.apply(function, value, &meter)
        case (.size, _): return .int(try Self.size(value, &meter))
        case (.greatest, .list(let values)), (.least, .list(let values)):
            return try Numbers.extremum(function, values, &meter)
        case (.optionalOf, _): return .optional(OptionalValue(value))
        case (.optionalOfNonZero, _): return .optional(value.isZero ? .none : OptionalValue(value))
        case (.hasValue, .optional(let optional)): return .bool(optional.wrapped != nil)
        case (.value, .optional(let optional)):
            guard let wrapped = optional.wrapped else { throw EvaluationError("optional.none() dereference") }
            return wrapped
        case (_, .list(let values)): return try Lists.apply(function, values, &meter)
        case (_, .int), (_, .uint), (_, .double):
            if let result = try Numbers.apply(function, value, &meter) { return result }
        case (_, .timestamp), (_, .duration): return try Times.apply(function, value, nil, nil)
        case (_, .ip), (_, .cidr): return try Networks.apply(function, value)
        case (.base64Encode, .bytes(let bytes)):
            try meter.charge(newBytes: bytes.count)
            return .string(Base64.encode(bytes))
        case (_, .string(let text)):
            if let result = try Networks.apply(function, text) { return result }
            return try Texts.apply(function, [value], &meter)
        default: break
        }
        throw .noOverload(function, [value])
    }

    /// Evaluates a function of two arguments.
    static func apply(
        _ function: Function, _ left: Value, _ right: Value, _ meter: inout CostMeter,
        _ timeZone: ExpressionEnvironment.TimeZoneLookup?
    ) throws(EvaluationError) -> Value {
        switch function {
        case .add, .subtract, .multiply, .divide, .modulo: return try Arithmetic.apply(function, left, right, &meter)
        case .equal: return .bool(try Comparison.equal(left, right, &meter))
        case .notEqual: return .bool(try !Comparison.equal(left, right, &meter))
        case .less: return .bool(try Comparison.order(left, right, &meter).map { $0 < 0 } ?? false)
        case .lessOrEqual: return .bool(try Comparison.order(left, right, &meter).map { $0 <= 0 } ?? false)
        case .greater: return .bool(try Comparison.order(left, right, &meter).map { $0 > 0 } ?? false)
        case .greaterOrEqual: return .bool(try Comparison.order(left, right, &meter).map { $0 >= 0 } ?? false)
        case .isIn: return .bool(try Self.contains(right, left, &meter))
        case .greatest, .least: return try Numbers.extremum(function, [left, right], &meter)
        case .bitAnd, .bitOr, .bitXor, .bitShiftLeft, .bitShiftRight: return try Numbers.bits(function, left, right)
        case .setsContains, .setsEquivalent, .setsIntersects: return try Lists.sets(function, left, right, &meter)
        case .containsIP, .containsCIDR: return try Networks.contains(function, left, right)
        default: break
        }
        switch (function, left, right) {
        case (.or, .optional(let first), .optional): return first.wrapped == nil ? right : left
        case (.orValue, .optional(let first), _): return first.wrapped ?? right
        case (.flatten, .list(let values), .int(let depth)): return try Lists.flatten(values, depth, &meter)
        case (_, .timestamp, .string(let zone)): return try Times.apply(function, left, zone, timeZone)
        default: return try Texts.apply(function, [left, right], &meter)
        }
    }

    private static func size(_ value: Value, _ meter: inout CostMeter) throws(EvaluationError) -> Int64 {
        switch value {
        case .string(let text):
            try meter.charge(bytes: text.utf8.count)
            return Int64(text.unicodeScalars.count)
        case .bytes(let bytes): return Int64(bytes.count)
        case .list(let values): return Int64(values.count)
        case .map(let map): return Int64(map.pairs.count)
        default: throw .noOverload(.size, [value])
        }
    }

    private static func contains(
        _ container: Value, _ value: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Bool {
        switch container {
        case .list(let values):
            for element in values {
                try meter.charge(1)
                if try Comparison.equal(element, value, &meter) { return true }
            }
            return false
        case .map(let map): return map.value(value) != nil
        default: throw .noOverload(.isIn, [value, container])
        }
    }
}
