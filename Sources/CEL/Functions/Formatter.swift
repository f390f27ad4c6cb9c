import Glibc

/// `text.format(list)`.
enum Formatter {
    /// Replaces the clauses of a text, such as `%s` and `%.2f`, by arguments.
    static func format(
        _ text: String, _ arguments: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> String {
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        var used = 0
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            guard byte == 0x25 else {
                output.append(byte)
                continue
            }
            guard index < bytes.count else { throw EvaluationError("format: unfinished clause") }
            if bytes[index] == 0x25 {
                output.append(0x25)
                index += 1
                continue
            }
            let precision = try Self.precision(bytes, &index)
            guard index < bytes.count else { throw EvaluationError("format: unfinished clause") }
            guard used < arguments.count else { throw EvaluationError("format: no argument \(used)") }
            let part = try Self.clause(bytes[index], precision, arguments[used], &meter)
            try meter.charge(newBytes: part.utf8.count)
            output += part.utf8
            used += 1
            index += 1
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func precision(_ bytes: [UInt8], _ index: inout Int) throws(EvaluationError) -> Int? {
        guard bytes[index] == 0x2E else { return nil }
        index += 1
        var value = 0
        while index < bytes.count, bytes[index].isDigit {
            value = value * 10 + Int(bytes[index] - 0x30)
            index += 1
            guard value <= ExpressionLimits.formatPrecision else {
                throw EvaluationError("format: precision above \(ExpressionLimits.formatPrecision)")
            }
        }
        return value
    }

    private static func clause(
        _ letter: UInt8, _ precision: Int?, _ value: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> String {
        switch letter {
        case 0x73: return try Self.text(value, &meter)
        case 0x64:
            switch value {
            case .int(let number): return String(number)
            case .uint(let number): return String(number)
            case .double(let number) where !number.isFinite: return Conversions.text(number)
            default: throw Self.refused(letter, "takes integers", value)
            }
        case 0x66, 0x65: return try Self.decimal(letter, precision, value)
        case 0x62:
            if case .bool(let flag) = value { return flag ? "1" : "0" }
            return try Self.digits(letter, radix: 2, value)
        case 0x6F: return try Self.digits(letter, radix: 8, value)
        case 0x78, 0x58:
            let lower = try Self.hexadecimal(letter, value, &meter)
            return letter == 0x58 ? lower.uppercased() : lower
        default:
            let shown = Texts.shown(.string(String(decoding: [letter], as: UTF8.self)))
            throw EvaluationError("format: unknown clause \(shown)")
        }
    }

    private static func refused(_ letter: UInt8, _ takes: String, _ value: Value) -> EvaluationError {
        EvaluationError("format: %\(Unicode.Scalar(letter)) \(takes), found \(value.typeName.rawValue)")
    }

    private static func digits(_ letter: UInt8, radix: Int, _ value: Value) throws(EvaluationError) -> String {
        switch value {
        case .int(let number): return String(number, radix: radix)
        case .uint(let number): return String(number, radix: radix)
        default: throw Self.refused(letter, "takes integers", value)
        }
    }

    private static func hexadecimal(
        _ letter: UInt8, _ value: Value, _ meter: inout CostMeter
    ) throws(EvaluationError) -> String {
        let bytes: [UInt8]
        switch value {
        case .string(let text): bytes = Array(text.utf8)
        case .bytes(let value): bytes = value
        default: return try Self.digits(letter, radix: 16, value)
        }
        try meter.charge(newBytes: bytes.count * 2)
        return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func decimal(
        _ letter: UInt8, _ precision: Int?, _ value: Value
    ) throws(EvaluationError) -> String {
        let number: Double
        switch value {
        case .double(let value): number = value
        case .int(let value): number = Double(value)
        case .uint(let value): number = Double(value)
        default: throw Self.refused(letter, "takes numbers", value)
        }
        guard number.isFinite else { return Conversions.text(number) }
        // The C library rounds the exact binary value, halves to even, as the language asks.
        var buffer = [CChar](repeating: 0, count: 352 + ExpressionLimits.formatPrecision)
        let form = letter == 0x66 ? "%.*f" : "%.*e"
        let length = unsafe withVaList([Int32(precision ?? 6), number]) { list in
            unsafe vsnprintf(&buffer, buffer.count, form, list)
        }
        return String(
            decoding: buffer[..<max(0, min(Int(length), buffer.count))].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A value as `%s` writes it.
    private static func text(_ value: Value, _ meter: inout CostMeter) throws(EvaluationError) -> String {
        try meter.charge(1)
        switch value {
        case .null: return "null"
        case .string(let text):
            try meter.charge(newBytes: text.utf8.count)
            return text
        case .bytes(let bytes):
            try meter.charge(newBytes: bytes.count)
            return String(decoding: bytes, as: UTF8.self)
        case .bool, .int, .uint, .double, .timestamp, .duration, .ip, .cidr:
            guard case .string(let text) = try Conversions.apply(.string, value, &meter) else { return "" }
            return text
        case .type(let type): return type.rawValue
        case .optional: throw EvaluationError("format: %s does not take an optional")
        case .list(let values):
            var parts: [String] = []
            for value in values { parts.append(try Self.text(value, &meter)) }
            return "[" + parts.joined(separator: ", ") + "]"
        case .map(let map):
            var parts: [String] = []
            for pair in map.pairs {
                parts.append(try "\(Self.text(pair.key, &meter)): \(Self.text(pair.value, &meter))")
            }
            return "{" + parts.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.joined(separator: ", ") + "}"
        }
    }
}
