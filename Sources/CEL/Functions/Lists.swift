/// The functions of lists and sets.
enum Lists {
    /// Evaluates a function of a list.
    static func apply(
        _ function: Function, _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        switch function {
        case .join: return try Texts.apply(function, [.list(values)], &meter)
        case .first: return .optional(OptionalValue(values.first))
        case .last: return .optional(OptionalValue(values.last))
        case .flatten: return try Self.flatten(values, 1, &meter)
        case .optionalUnwrap, .unwrapOpt:
            try meter.charge(values.count)
            var result: [Value] = []
            for value in values {
                guard case .optional(let optional) = value else { throw .noOverload(function, [.list(values)]) }
                if let wrapped = optional.wrapped { result.append(wrapped) }
            }
            return .list(result)
        case .reverse:
            try meter.charge(containing: values)
            return .list(values.reversed())
        case .distinct:
            try meter.charge(containing: values)
            var result: [Value] = []
            for value in values {
                try meter.charge(result.count)
                if try !Self.all([value], in: result, &meter) { result.append(value) }
            }
            return .list(result)
        case .sort: return try Self.sorted(values, &meter)
        default: throw .noOverload(function, [.list(values)])
        }
    }

    private static func sorted(_ values: [Value], _ meter: inout CostMeter) throws(EvaluationError) -> Value {
        guard let first = values.first else { return .list([]) }
        // Each value is compared about as often as the number of values has bits.
        let before = meter.remaining
        try meter.charge(containing: values)
        try meter.charge((before - meter.remaining) * (Int.bitWidth - values.count.leadingZeroBitCount))
        for value in values {
            guard value.typeName == first.typeName, case .some = try Comparison.order(value, value, &meter) else {
                throw EvaluationError("the elements have no order")
            }
        }
        var unlimited = CostMeter(remaining: .max)
        var failure: EvaluationError?
        let result = values.sorted { left, right in
            do throws(EvaluationError) {
                return (try Comparison.order(left, right, &unlimited) ?? 0) < 0
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return .list(result)
    }

    /// Replaces lists in a list by their elements, down to a depth.
    static func flatten(
        _ values: [Value], _ depth: Int64, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        guard depth >= 0 else { throw EvaluationError("negative depth: \(depth)") }
        var result: [Value] = []
        try meter.charge(containing: values)
        Self.flatten(values, depth, &result)
        return .list(result)
    }

    private static func flatten(_ values: [Value], _ depth: Int64, _ result: inout [Value]) {
        for value in values {
            if depth > 0, case .list(let inner) = value {
                Self.flatten(inner, depth - 1, &result)
            } else {
                result.append(value)
            }
        }
    }

    /// `list.slice(start, end)`.
    static func slice(_ values: [Value], _ meter: inout CostMeter) throws(EvaluationError) -> Value {
        guard values.count == 3, case .list(let list) = values[0], case .int(let start) = values[1],
            case .int(let end) = values[2]
        else { throw .noOverload(.slice, values) }
        guard start >= 0, start <= end, end <= list.count else {
            throw EvaluationError("index out of range: \(start < 0 || start > end ? start : end)")
        }
        let result = Array(list[Int(start)..<Int(end)])
        try meter.charge(containing: result)
        return .list(result)
    }

    /// The functions of lists as sets.
    static func sets(
        _ function: Function, _ left: Value, _ right: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        guard case .list(let a) = left, case .list(let b) = right else { throw .noOverload(function, [left, right]) }
        switch function {
        case .setsContains: return .bool(try Self.all(b, in: a, &meter))
        case .setsEquivalent:
            guard try Self.all(a, in: b, &meter) else { return .bool(false) }
            return .bool(try Self.all(b, in: a, &meter))
        default:
            for value in a {
                if try Self.all([value], in: b, &meter) { return .bool(true) }
            }
            return .bool(false)
        }
    }

    private static func all(
        _ values: [Value], in list: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> Bool {
        for value in values {
            var found = false
            for candidate in list {
                try meter.charge(1)
                found = try Comparison.equal(value, candidate, &meter)
                if found { break }
            }
            if !found { return false }
        }
        return true
    }
}
