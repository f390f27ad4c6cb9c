/// Equality and order of values as the language defines them.
enum Comparison {
    /// Returns whether two values are equal. Values of different types are not, except numbers of the same value.
    static func equal(_ left: Value, _ right: Value, _ meter: inout CostMeter) throws(EvaluationError) -> Bool {
        switch (left, right) {
        case (.null, .null): return true
        case (.bool(let a), .bool(let b)): return a == b
        case (.int(let a), .int(let b)): return a == b
        case (.string(let a), .string(let b)):
            try meter.charge(bytes: min(a.utf8.count, b.utf8.count))
            return Self.sameBytes(a, b)
        case (.bytes(let a), .bytes(let b)):
            try meter.charge(bytes: min(a.count, b.count))
            return a == b
        case (.list(let a), .list(let b)):
            guard a.count == b.count else { return false }
            try meter.charge(a.count)
            for index in a.indices where try !Self.equal(a[index], b[index], &meter) { return false }
            return true
        case (.map(let a), .map(let b)):
            guard a.pairs.count == b.pairs.count else { return false }
            try meter.charge(a.pairs.count)
            for pair in a.pairs {
                guard let other = b.value(pair.key), try Self.equal(pair.value, other, &meter) else { return false }
            }
            return true
        case (.timestamp(let a), .timestamp(let b)): return a == b
        case (.duration(let a), .duration(let b)): return a == b
        case (.type(let a), .type(let b)): return a == b
        case (.ip(let a), .ip(let b)): return a == b
        case (.cidr(let a), .cidr(let b)): return a == b
        case (.optional(let a), .optional(let b)):
            guard let first = a.wrapped, let second = b.wrapped else { return a.wrapped == nil && b.wrapped == nil }
            try meter.charge(1)
            return try Self.equal(first, second, &meter)
        default: return Self.numberOrder(left, right) == .some(0)
        }
    }

    /// Compares UTF-8: `==` of strings ignores how characters are composed.
    static func sameBytes(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
    }

    /// Returns a negative number, 0 or a positive number as the left number is less, equal or greater; `nil` if one is
    /// NaN or not a number.
    static func numberOrder(_ left: Value, _ right: Value) -> Int? {
        switch (left, right) {
        case (.int(let a), .int(let b)): Self.sign(a, b)
        case (.uint(let a), .uint(let b)): Self.sign(a, b)
        case (.double(let a), .double(let b)): a.isNaN || b.isNaN ? nil : Self.sign(a, b)
        case (.int(let a), .uint(let b)): a < 0 ? -1 : Self.sign(UInt64(a), b)
        case (.uint, .int), (.double, .int), (.double, .uint): Self.numberOrder(right, left).map { -$0 }
        case (.int(let a), .double(let b)): Self.order(a, b)
        case (.uint(let a), .double(let b)): Self.order(a, b)
        default: nil
        }
    }

    private static func order<Number: BinaryInteger>(_ whole: Number, _ double: Double) -> Int? {
        if double.isNaN { return nil }
        // As the language defines, an integer that a double cannot represent is rounded.
        return Self.sign(Double(whole), double)
    }

    private static func sign<Number: Comparable>(_ left: Number, _ right: Number) -> Int {
        left < right ? -1 : (left == right ? 0 : 1)
    }

    /// Returns the order of two values of one ordered type or of two numbers; `nil` if one is NaN.
    static func order(_ left: Value, _ right: Value, _ meter: inout CostMeter) throws(EvaluationError) -> Int? {
        switch (left, right) {
        case (.bool(let a), .bool(let b)): return a == b ? 0 : (b ? -1 : 1)
        case (.string(let a), .string(let b)):
            try meter.charge(bytes: min(a.utf8.count, b.utf8.count))
            if Self.sameBytes(a, b) { return 0 }
            return a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        case (.bytes(let a), .bytes(let b)):
            try meter.charge(bytes: min(a.count, b.count))
            return a == b ? 0 : (a.lexicographicallyPrecedes(b) ? -1 : 1)
        case (.timestamp(let a), .timestamp(let b)): return Self.sign(a, b)
        case (.duration(let a), .duration(let b)): return Self.sign(a, b)
        default:
            guard left.isNumber, right.isNumber else { throw .noOverload }
            return Self.numberOrder(left, right)
        }
    }
}

extension Value {
    /// Whether this is an int, uint or double.
    var isNumber: Bool {
        switch self {
        case .int, .uint, .double: true
        default: false
        }
    }
}
