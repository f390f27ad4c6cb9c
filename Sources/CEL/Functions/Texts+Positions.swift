extension Texts {
    /// The functions that count code points.
    static func positional(
        _ function: Function, _ text: String, _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> Value {
        let scalars = Array(text.unicodeScalars)
        switch (function, values.count) {
        case (.charAt, 2):
            let index = try Self.position(function, values, 1, limit: scalars.count)
            return .string(index == scalars.count ? "" : String(scalars[index]))
        case (.indexOf, 2), (.indexOf, 3), (.lastIndexOf, 2), (.lastIndexOf, 3):
            return .int(Int64(try Self.indexOf(function, scalars, values, &meter)))
        case (.substring, 2), (.substring, 3):
            let start = try Self.position(function, values, 1, limit: scalars.count)
            let end = values.count == 3 ? try Self.position(function, values, 2, limit: scalars.count) : scalars.count
            guard start <= end else { throw EvaluationError("substring from \(start) to \(end)") }
            try meter.charge(newBytes: (end - start) * 4)
            return .string(Self.string(scalars[start..<end]))
        case (.replace, 3), (.replace, 4): return .string(try Self.replace(scalars, values, &meter))
        case (.split, 2), (.split, 3): return .list(try Self.split(scalars, values, &meter))
        default: throw .noOverload(function, values)
        }
    }

    private static func position(
        _ function: Function, _ values: [Value], _ index: Int, limit: Int
    ) throws(EvaluationError) -> Int {
        guard case .int(let position) = values[index] else { throw .noOverload(function, values) }
        guard position >= 0, position <= limit else { throw EvaluationError("index out of range: \(position)") }
        return Int(position)
    }

    private static func scalars(
        _ function: Function, _ values: [Value], _ index: Int
    ) throws(EvaluationError) -> [Unicode.Scalar] {
        guard case .string(let text) = values[index] else { throw .noOverload(function, values) }
        return Array(text.unicodeScalars)
    }

    private static func indexOf(
        _ function: Function, _ text: [Unicode.Scalar], _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> Int {
        let sought = try Self.scalars(function, values, 1)
        if function == .indexOf {
            let start = values.count == 3 ? try Self.position(function, values, 2, limit: text.count) : 0
            return try Self.find(sought, in: text, from: start, &meter) ?? -1
        }
        var last = values.count == 3 ? try Self.position(function, values, 2, limit: text.count) : text.count
        last = min(last, text.count - sought.count)
        while last >= 0 {
            try meter.charge(1)
            if text[last..<(last + sought.count)].elementsEqual(sought) { return last }
            try meter.charge(bytes: sought.count)
            last -= 1
        }
        return -1
    }

    /// The limit of `replace` and `split`: `nil` if there is none.
    private static func limit(
        _ function: Function, _ values: [Value], _ index: Int
    ) throws(EvaluationError) -> Int? {
        guard values.count > index else { return nil }
        guard case .int(let limit) = values[index] else { throw .noOverload(function, values) }
        return limit < 0 ? nil : Int(limit)
    }

    private static func replace(
        _ text: [Unicode.Scalar], _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> String {
        let old = try Self.scalars(.replace, values, 1)
        let new = try Self.scalars(.replace, values, 2)
        let limit = try Self.limit(.replace, values, 3) ?? .max
        var result: [Unicode.Scalar] = []
        var start = 0
        var count = 0
        while count < limit, let found = try Self.find(old, in: text, from: start, &meter) {
            // An empty text is found before every code point and at the end.
            try meter.charge(newBytes: (found - start + new.count) * 4)
            try meter.charge(1)
            result += text[start..<found]
            result += new
            count += 1
            start = found + old.count
            if old.isEmpty {
                guard start < text.count else { return Self.string(result[...]) }
                result.append(text[start])
                start += 1
            }
        }
        try meter.charge(newBytes: (text.count - start) * 4)
        result += text[start...]
        return Self.string(result[...])
    }

    private static func split(
        _ text: [Unicode.Scalar], _ values: [Value], _ meter: inout CostMeter
    ) throws(EvaluationError) -> [Value] {
        let separator = try Self.scalars(.split, values, 1)
        let limit = try Self.limit(.split, values, 2) ?? .max
        if limit == 0 { return [] }
        try meter.charge(text.count)
        var result: [Value] = []
        var start = 0
        while result.count < limit - 1 {
            if separator.isEmpty {
                guard start + 1 < text.count else { break }
                result.append(.string(String(text[start])))
                start += 1
            } else {
                guard let found = try Self.find(separator, in: text, from: start, &meter) else { break }
                result.append(.string(Self.string(text[start..<found])))
                start = found + separator.count
            }
        }
        if !(separator.isEmpty && text.isEmpty) { result.append(.string(Self.string(text[start...]))) }
        return result
    }
}
