/// The functions of strings. Positions and sizes count Unicode code points.
enum Texts {
    /// Evaluates a function of a string.
    static func apply(
        _ function: Function, _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        if function == .join { return try Self.join(values, &meter) }
        guard case .string(let text)? = values.first else { throw .noOverload(function, values) }
        try meter.charge(bytes: text.utf8.count)
        switch (function, values.count) {
        case (.contains, 2), (.startsWith, 2), (.endsWith, 2), (.matches, 2):
            return try Self.test(function, text, values, &meter)
        case (.lowerAscii, 1), (.upperAscii, 1), (.trim, 1), (.reverse, 1), (.quote, 1):
            try meter.charge(newBytes: text.utf8.count)
            return .string(Self.changed(function, text))
        case (.base64Decode, 1):
            try meter.charge(newBytes: text.utf8.count)
            guard let bytes = Base64.decode(text) else { throw EvaluationError("malformed base64") }
            return .bytes(bytes)
        case (.format, 2):
            guard case .list(let arguments) = values[1] else { throw .noOverload(function, values) }
            return .string(try Formatter.format(text, arguments, &meter))
        default: return try Self.positional(function, text, values, &meter)
        }
    }

    private static func test(
        _ function: Function, _ text: String, _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        guard case .string(let other) = values[1] else { throw .noOverload(function, values) }
        switch function {
        case .startsWith: return .bool(text.utf8.starts(with: other.utf8))
        case .endsWith:
            return .bool(
                text.utf8.count >= other.utf8.count
                    && text.utf8.suffix(other.utf8.count).elementsEqual(other.utf8))
        case .contains:
            let (bytes, sought) = (Array(text.utf8), Array(other.utf8))
            return .bool(try Self.find(sought, in: bytes, from: 0, &meter) != nil)
        default:
            let pattern: Pattern
            do throws(PatternError) {
                pattern = try Pattern(other)
            } catch {
                throw EvaluationError("invalid regular expression: \(error.message)")
            }
            try meter.charge(pattern.size)
            return .bool(try pattern.matches(text, &meter))
        }
    }

    /// Finds the first position of elements, in at most the product of both sizes, which is charged for.
    static func find<Element: Equatable>(
        _ sought: [Element], in elements: [Element], from start: Int, _ meter: inout CostMeter
    ) throws(EvaluationError) -> Int? {
        if sought.isEmpty { return start }
        guard elements.count - start >= sought.count else { return nil }
        for at in start...(elements.count - sought.count) where elements[at] == sought[0] {
            var matched = 1
            while matched < sought.count, elements[at + matched] == sought[matched] { matched += 1 }
            if matched == sought.count { return at }
            try meter.charge(bytes: matched)
        }
        return nil
    }

    private static func changed(_ function: Function, _ text: String) -> String {
        switch function {
        case .lowerAscii:
            return String(decoding: text.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }, as: UTF8.self)
        case .upperAscii:
            return String(decoding: text.utf8.map { $0 >= 0x61 && $0 <= 0x7A ? $0 & 0xDF : $0 }, as: UTF8.self)
        case .trim:
            let scalars = Array(text.unicodeScalars)
            guard let first = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
                let last = scalars.lastIndex(where: { !$0.properties.isWhitespace })
            else { return "" }
            return Self.string(scalars[first...last])
        case .reverse: return Self.string(Array(text.unicodeScalars).reversed()[...])
        default: return Self.quoted(text)
        }
    }

    /// Makes a string of code points.
    static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// A string in quotation marks, with escapes.
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\u{07}": result += "\\a"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0B}": result += "\\v"
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// A value in an error message: at most 40 characters of a text.
    static func shown(_ value: Value) -> String {
        switch value {
        case .string(let text):
            let cut = text.unicodeScalars.prefix(40)
            return cut.count == text.unicodeScalars.count ? Self.quoted(text) : Self.quoted(String(cut)) + "…"
        case .int(let number): return String(number)
        case .uint(let number): return "\(number)u"
        case .double(let number): return Conversions.text(number)
        case .bool(let value): return String(value)
        default: return "a \(value.typeName.rawValue)"
        }
    }

    private static func join(_ values: [Value], _ meter: inout CostMeter) throws(EvaluationError) -> Value {
        guard case .list(let parts)? = values.first, values.count <= 2 else { throw .noOverload(.join, values) }
        var separator = ""
        if values.count == 2 {
            guard case .string(let text) = values[1] else { throw .noOverload(.join, values) }
            separator = text
        }
        var result = ""
        for (index, part) in parts.enumerated() {
            guard case .string(let text) = part else { throw .noOverload(.join, values) }
            try meter.charge(1)
            try meter.charge(newBytes: text.utf8.count + separator.utf8.count)
            if index > 0 { result += separator }
            result += text
        }
        return .string(result)
    }
}
