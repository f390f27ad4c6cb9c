/// The type conversions.
enum Conversions {
    /// Converts a value to the type that the function names.
    static func apply(
        _ function: Function, _ value: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        switch function {
        case .int: return .int(try Self.int(value))
        case .uint: return .uint(try Self.uint(value))
        case .double: return .double(try Self.double(value))
        case .string: return .string(try Self.string(value, &meter))
        default: break
        }
        switch (function, value) {
        case (.bool, .bool), (.bytes, .bytes), (.duration, .duration), (.timestamp, .timestamp): return value
        case (.bool, .string(let text)):
            switch text {
            case "1", "t", "T", "true", "TRUE", "True": return .bool(true)
            case "0", "f", "F", "false", "FALSE", "False": return .bool(false)
            default: throw Self.failed(value, "a bool")
            }
        case (.bytes, .string(let text)):
            try meter.charge(newBytes: text.utf8.count)
            return .bytes(Array(text.utf8))
        case (.duration, .string(let text)):
            guard let duration = Duration(text) else { throw Self.failed(value, "a duration") }
            return .duration(duration)
        case (.timestamp, .string(let text)):
            guard let timestamp = Timestamp(text) else { throw Self.failed(value, "a timestamp") }
            return .timestamp(timestamp)
        case (.timestamp, .int(let seconds)):
            guard let timestamp = Timestamp(unixSeconds: seconds) else { throw .range("timestamp") }
            return .timestamp(timestamp)
        default: throw .noOverload(function, [value])
        }
    }

    /// The text of a scalar value, as `string()` and `format` write it; of other values, the name of their type.
    static func text(_ value: Value) -> String {
        switch value {
        case .string(let text): text
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .int(let number): String(number)
        case .uint(let number): String(number)
        case .double(let number): Self.text(number)
        case .timestamp(let timestamp): timestamp.description
        case .duration(let duration): duration.description
        case .ip(let address): address.description
        case .cidr(let range): range.description
        case .type(let type): type.rawValue
        case .bytes, .list, .map, .optional: value.typeName.rawValue
        }
    }

    private static func failed(_ value: Value, _ what: String) -> EvaluationError {
        EvaluationError("\(Texts.shown(value)) is not \(what)")
    }

    private static func int(_ value: Value) throws(EvaluationError) -> Int64 {
        switch value {
        case .int(let number): return number
        case .uint(let number):
            guard let result = Int64(exactly: number) else { throw .range("int") }
            return result
        case .double(let number):
            // Both limits are excluded: a double next to them may stand for a number beyond.
            guard number > -0x1p63, number < 0x1p63 else { throw .range("int") }
            return Int64(number)
        case .string(let text):
            guard let result = Int64(text) else { throw Self.failed(value, "an int") }
            return result
        case .timestamp(let timestamp): return timestamp.seconds
        default: throw .noOverload(.int, [value])
        }
    }

    private static func uint(_ value: Value) throws(EvaluationError) -> UInt64 {
        switch value {
        case .uint(let number): return number
        case .int(let number):
            guard let result = UInt64(exactly: number) else { throw .range("uint") }
            return result
        case .double(let number):
            guard number >= 0, number < 0x1p64 else { throw .range("uint") }
            return UInt64(number)
        case .string(let text):
            // `UInt64` itself also reads signs.
            guard text.utf8.first?.isDigit ?? false, let result = UInt64(text) else {
                throw Self.failed(value, "a uint")
            }
            return result
        default: throw .noOverload(.uint, [value])
        }
    }

    private static func double(_ value: Value) throws(EvaluationError) -> Double {
        switch value {
        case .double(let number): return number
        case .int(let number): return Double(number)
        case .uint(let number): return Double(number)
        case .string(let text):
            switch text {
            case "NaN", "nan": return .nan
            case "Infinity", "+Infinity", "Inf", "+Inf", "inf", "+inf": return .infinity
            case "-Infinity", "-Inf", "-inf": return -.infinity
            default: break
            }
            let isPlain = text.utf8.allSatisfy { $0.isDigit || [0x2B, 0x2D, 0x2E, 0x45, 0x65].contains($0) }
            guard isPlain, let result = Double(text) else { throw Self.failed(value, "a double") }
            guard result.isFinite else { throw .range("double") }
            return result
        default: throw .noOverload(.double, [value])
        }
    }

    private static func string(_ value: Value, _ meter: inout CostMeter) throws(EvaluationError) -> String {
        switch value {
        case .string(let text): return text
        case .bool(let value): return value ? "true" : "false"
        case .int(let number): return String(number)
        case .uint(let number): return String(number)
        case .double(let number): return Self.text(number)
        case .bytes(let bytes):
            try meter.charge(newBytes: bytes.count)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw EvaluationError("the bytes are not valid UTF-8")
            }
            return text
        case .timestamp(let timestamp): return timestamp.description
        case .duration(let duration): return duration.description
        case .ip(let address): return address.description
        case .cidr(let range): return range.description
        default: throw .noOverload(.string, [value])
        }
    }

    /// A double in the shortest form that reads back as the same number: `1`, `0.25`, `6.02e+23`.
    static func text(_ number: Double) -> String {
        // The digits of a whole number are the shortest ones.
        if let whole = Int64(exactly: number), whole != 0, whole.magnitude < 1 << 53 { return String(whole) }
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        let text = number.description
        guard let mark = text.utf8.firstIndex(of: 0x65) else {
            return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
        }
        var mantissa = text[..<mark]
        if mantissa.hasSuffix(".0") { mantissa = mantissa.dropLast(2) }
        guard let exponent = Int(text[text.index(after: mark)...]) else { return text }
        if exponent >= 0, exponent < 21 { return Self.written(mantissa, exponent) }
        let digits = String(abs(exponent))
        return "\(mantissa)e\(exponent < 0 ? "-" : "+")\(digits.utf8.count < 2 ? "0" : "")\(digits)"
    }

    /// A number of many digits without an exponent.
    private static func written(_ mantissa: Substring, _ exponent: Int) -> String {
        let parts = mantissa.split(separator: ".")
        let fraction = parts.count > 1 ? parts[1] : ""
        guard fraction.utf8.count <= exponent else { return "\(mantissa)e+\(exponent)" }
        return parts[0] + fraction + String(repeating: "0", count: exponent - fraction.utf8.count)
    }
}
