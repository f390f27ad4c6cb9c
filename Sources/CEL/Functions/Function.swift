/// The operators and functions of the language and its extensions, by name.
enum Function: String, CaseIterable {
    // Operators.
    case not = "!_"
    case negate = "-_"
    case add = "_+_"
    case subtract = "_-_"
    case multiply = "_*_"
    case divide = "_/_"
    case modulo = "_%_"
    case equal = "_==_"
    case notEqual = "_!=_"
    case less = "_<_"
    case lessOrEqual = "_<=_"
    case greater = "_>_"
    case greaterOrEqual = "_>=_"
    case isIn = "_in_"
    // Conversions.
    case bool, bytes, double, duration, dyn, int, string, timestamp, type, uint
    // Strings.
    case size, contains, startsWith, endsWith, matches
    case charAt, indexOf, lastIndexOf, join, lowerAscii, upperAscii, replace, split, substring, trim, reverse, format
    case quote = "strings.quote"
    // Time.
    case getDate, getDayOfMonth, getDayOfWeek, getDayOfYear, getFullYear, getHours, getMilliseconds, getMinutes
    case getMonth, getSeconds
    // Mathematics.
    case greatest = "math.greatest"
    case least = "math.least"
    case ceil = "math.ceil"
    case floor = "math.floor"
    case round = "math.round"
    case trunc = "math.trunc"
    case abs = "math.abs"
    case sign = "math.sign"
    case sqrt = "math.sqrt"
    case isNaN = "math.isNaN"
    case isInf = "math.isInf"
    case isFinite = "math.isFinite"
    case bitAnd = "math.bitAnd"
    case bitOr = "math.bitOr"
    case bitXor = "math.bitXor"
    case bitNot = "math.bitNot"
    case bitShiftLeft = "math.bitShiftLeft"
    case bitShiftRight = "math.bitShiftRight"
    // Encoders.
    case base64Encode = "base64.encode"
    case base64Decode = "base64.decode"
    // Optionals.
    case optionalOf = "optional.of"
    case optionalOfNonZero = "optional.ofNonZeroValue"
    case optionalNone = "optional.none"
    case optionalUnwrap = "optional.unwrap"
    case hasValue, value, or, orValue, unwrapOpt
    // Lists and sets.
    case range = "lists.range"
    case flatten, slice, sort, distinct, first, last
    case setsContains = "sets.contains"
    case setsEquivalent = "sets.equivalent"
    case setsIntersects = "sets.intersects"
    // Network addresses.
    case ip, cidr, isIP, isCIDR
    case isCanonical = "ip.isCanonical"
    case family, isUnspecified, isLoopback, isGlobalUnicast, isLinkLocalMulticast, isLinkLocalUnicast
    case containsIP, containsCIDR, masked, prefixLength

    /// The function as messages name it: an operator without the places of its operands.
    var displayName: String {
        switch self {
        case .not, .negate, .add, .subtract, .multiply, .divide, .modulo, .equal, .notEqual, .less, .lessOrEqual,
            .greater, .greaterOrEqual, .isIn:
            "operator \"\(self.rawValue.filter { $0 != "_" })\""
        default: "function \"\(self.rawValue)\""
        }
    }

    /// Whether the operands are compared by order.
    var isOrder: Bool { [.less, .lessOrEqual, .greater, .greaterOrEqual].contains(self) }
}

/// The parameter types and the result type of one form of a function.
struct Overload {
    /// Whether the first parameter is the target of a receiver-style call.
    var isMember: Bool
    /// The parameter types.
    var parameters: [ExpressionType]
    /// The result type.
    var result: ExpressionType

    /// Reads a declaration: `(int, int) bool`, or `@(string, int) string` for `text.charAt(1)`.
    ///
    /// - Returns: `nil` if the text is not a declaration.
    init?(_ text: String) {
        var reader = TypeReader(text)
        self.isMember = reader.take("@")
        self.parameters = []
        guard reader.take("(") else { return nil }
        while !reader.take(")") {
            guard let type = reader.type() else { return nil }
            self.parameters.append(type)
            _ = reader.take(",")
        }
        guard let result = reader.type(), reader.isAtEnd else { return nil }
        self.result = result
    }
}
