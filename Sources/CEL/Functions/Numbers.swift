/// The mathematical functions.
enum Numbers {
    /// Evaluates a function of a number.
    ///
    /// - Returns: `nil` if the function does not take this type.
    static func apply(
        _ function: Function, _ value: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value? {
        switch (function, value) {
        case (.greatest, _), (.least, _): return value
        case (.ceil, .double(let number)): return .double(number.rounded(.up))
        case (.floor, .double(let number)): return .double(number.rounded(.down))
        case (.trunc, .double(let number)): return .double(number.rounded(.towardZero))
        case (.round, .double(let number)): return .double(number.rounded(.toNearestOrAwayFromZero))
        case (.isNaN, .double(let number)): return .bool(number.isNaN)
        case (.isInf, .double(let number)): return .bool(number.isInfinite)
        case (.isFinite, .double(let number)): return .bool(number.isFinite)
        case (.sqrt, .double(let number)): return .double(number.squareRoot())
        case (.sqrt, .int(let number)): return .double(Double(number).squareRoot())
        case (.sqrt, .uint(let number)): return .double(Double(number).squareRoot())
        case (.abs, .double(let number)): return .double(Swift.abs(number))
        case (.abs, .int(let number)):
            if number == .min { throw .overflow }
            return .int(Swift.abs(number))
        case (.abs, .uint): return value
        case (.sign, .double(let number)):
            return .double(number.isNaN ? number : (number > 0 ? 1 : (number < 0 ? -1 : 0)))
        case (.sign, .int(let number)): return .int(number.signum())
        case (.sign, .uint(let number)): return .uint(number == 0 ? 0 : 1)
        case (.bitNot, .int(let number)): return .int(~number)
        case (.bitNot, .uint(let number)): return .uint(~number)
        case (.range, .int(let count)):
            guard count >= 0 else { return .list([]) }
            try meter.charge(Int(clamping: count))
            return .list((0..<count).map { .int($0) })
        default: return nil
        }
    }

    /// `math.greatest` and `math.least`. Numbers of different types are compared by value; of equal ones, the first is
    /// the result.
    static func extremum(
        _ function: Function, _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        try meter.charge(values.count)
        guard var result = values.first, values.allSatisfy(\.isNumber) else { throw .noOverload(function, values) }
        for value in values.dropFirst() {
            let order = Comparison.numberOrder(value, result) ?? 0
            if function == .greatest ? order > 0 : order < 0 { result = value }
        }
        return result
    }

    /// The functions of bits. A shift by 64 or more bits is 0, and a shift to the right fills with 0.
    static func bits(_ function: Function, _ left: Value, _ right: Value) throws(EvaluationError) -> Value {
        switch (function, left, right) {
        case (.bitAnd, .int(let a), .int(let b)): return .int(a & b)
        case (.bitOr, .int(let a), .int(let b)): return .int(a | b)
        case (.bitXor, .int(let a), .int(let b)): return .int(a ^ b)
        case (.bitAnd, .uint(let a), .uint(let b)): return .uint(a & b)
        case (.bitOr, .uint(let a), .uint(let b)): return .uint(a | b)
        case (.bitXor, .uint(let a), .uint(let b)): return .uint(a ^ b)
        case (.bitShiftLeft, .int(let a), .int(let b)), (.bitShiftRight, .int(let a), .int(let b)):
            return .int(Int64(bitPattern: try Self.shift(function, UInt64(bitPattern: a), b)))
        case (.bitShiftLeft, .uint(let a), .int(let b)), (.bitShiftRight, .uint(let a), .int(let b)):
            return .uint(try Self.shift(function, a, b))
        default: throw .noOverload(function, [left, right])
        }
    }

    private static func shift(_ function: Function, _ bits: UInt64, _ by: Int64) throws(EvaluationError) -> UInt64 {
        guard by >= 0 else { throw EvaluationError("negative shift: \(by)") }
        return function == .bitShiftLeft ? bits << by : bits >> by
    }
}
