/// The arithmetic operators: integers never wrap around, doubles follow IEEE 754.
enum Arithmetic {
    /// Evaluates an operator.
    static func apply(
        _ function: Function, _ left: Value, _ right: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        switch (left, right) {
        case (.int(let a), .int(let b)): return .int(try Self.whole(function, a, b))
        case (.double(let a), .double(let b)):
            switch function {
            case .add: return .double(a + b)
            case .subtract: return .double(a - b)
            case .multiply: return .double(a * b)
            case .divide: return .double(a / b)
            default: throw .noOverload(function, [left, right])
            }
        case (.uint(let a), .uint(let b)): return .uint(try Self.whole(function, a, b))
        default: return try Self.other(function, left, right, &meter)
        }
    }

    /// Evaluates an operator of integers.
    @inline(__always)
    static func whole<Number: FixedWidthInteger>(
        _ function: Function, _ a: Number, _ b: Number
    ) throws(EvaluationError) -> Number {
        let result: (partialValue: Number, overflow: Bool)
        switch function {
        case .add: result = a.addingReportingOverflow(b)
        case .subtract: result = a.subtractingReportingOverflow(b)
        case .multiply: result = a.multipliedReportingOverflow(by: b)
        case .divide:
            if b == 0 { throw EvaluationError("division by zero") }
            result = a.dividedReportingOverflow(by: b)
        default:
            if b == 0 { throw EvaluationError("modulus by zero") }
            result = a.remainderReportingOverflow(dividingBy: b)
        }
        if result.overflow { throw .overflow }
        return result.partialValue
    }

    private static func other(
        _ function: Function, _ left: Value, _ right: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        switch (function, left, right) {
        case (.add, .string(let a), .string(let b)):
            try meter.charge(newBytes: a.utf8.count + b.utf8.count)
            return .string(a + b)
        case (.add, .bytes(let a), .bytes(let b)):
            try meter.charge(newBytes: a.count + b.count)
            return .bytes(a + b)
        case (.add, .list(let a), .list(let b)):
            try meter.charge(containing: a)
            try meter.charge(containing: b)
            return .list(a + b)
        case (.add, .timestamp(let a), .duration(let b)), (.add, .duration(let b), .timestamp(let a)):
            guard let sum = a.adding(b) else { throw .range("timestamp") }
            return .timestamp(sum)
        case (.subtract, .timestamp(let a), .duration(let b)):
            guard let difference = a.adding(b.negated) else { throw .range("timestamp") }
            return .timestamp(difference)
        case (.subtract, .timestamp(let a), .timestamp(let b)):
            guard let difference = a.since(b) else { throw .range("duration") }
            return .duration(difference)
        case (.add, .duration(let a), .duration(let b)):
            guard let sum = a.adding(b) else { throw .range("duration") }
            return .duration(sum)
        case (.subtract, .duration(let a), .duration(let b)):
            guard let difference = a.adding(b.negated) else { throw .range("duration") }
            return .duration(difference)
        default: throw .noOverload(function, [left, right])
        }
    }
}
