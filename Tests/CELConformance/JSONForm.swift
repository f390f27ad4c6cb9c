import CEL
import Foundation

/// Values in the JSON form of the cases: an object with the type as its only key.
enum JSONForm {
    /// Reads a value.
    static func value(_ json: Any) -> Value? {
        guard let (type, content) = (json as? [String: Any])?.first else { return nil }
        let text = content as? String
        switch type {
        case "null": return .null
        case "bool": return (content as? Bool).map { .bool($0) }
        case "int": return text.flatMap { Int64($0) }.map { .int($0) }
        case "uint": return text.flatMap { UInt64($0) }.map { .uint($0) }
        case "double": return text.flatMap(Self.double).map { .double($0) }
        case "string": return text.map { .string($0) }
        case "bytes": return text.flatMap { Data(base64Encoded: $0) }.map { .bytes(Array($0)) }
        case "list": return (content as? [Any]).map { .list($0.compactMap(Self.value)) }
        case "map":
            var map = MapValue()
            for pair in content as? [[Any]] ?? [] {
                guard pair.count == 2, let key = Self.value(pair[0]), let value = Self.value(pair[1]),
                    map.add(key, value)
                else { return nil }
            }
            return .map(map)
        case "timestamp":
            guard let parts = text?.split(separator: "."), parts.count == 2, let seconds = Int64(parts[0]),
                let nanoseconds = Int32(parts[1])
            else { return nil }
            return Timestamp(unixSeconds: seconds, nanoseconds: nanoseconds).map { .timestamp($0) }
        case "duration":
            guard let text, text.hasSuffix("ns"), let nanoseconds = Int64(text.dropLast(2)) else { return nil }
            return Duration(wholeSeconds: 0, nanoseconds: nanoseconds).map { .duration($0) }
        case "type": return text.flatMap { TypeName(rawValue: $0) }.map { .type($0) }
        default: return nil
        }
    }

    private static func double(_ text: String) -> Double? {
        switch text {
        case "Infinity": .infinity
        case "-Infinity": -.infinity
        case "NaN": .nan
        default: Double(text)
        }
    }

    /// Writes a value.
    static func object(_ value: Value) -> [String: Any] {
        switch value {
        case .null: return ["null": NSNull()]
        case .bool(let value): return ["bool": value]
        case .int(let value): return ["int": String(value)]
        case .uint(let value): return ["uint": String(value)]
        case .double(let value): return ["double": Self.text(value)]
        case .string(let value): return ["string": value]
        case .bytes(let value): return ["bytes": Data(value).base64EncodedString()]
        case .list(let values): return ["list": values.map(Self.object)]
        case .map(let map): return ["map": map.pairs.map { [Self.object($0.key), Self.object($0.value)] }]
        case .timestamp(let value):
            let digits = String(value.nanoseconds)
            return ["timestamp": "\(value.seconds).\(String(repeating: "0", count: 9 - digits.count))\(digits)"]
        case .duration(let value):
            // The product alone may be beyond the range, the sum is not.
            return ["duration": "\(value.seconds &* 1_000_000_000 &+ Int64(value.nanoseconds))ns"]
        case .type(let value): return ["type": value.rawValue]
        case .optional(let value): return ["optional": value.wrapped.map(Self.object) as Any? ?? NSNull()]
        case .ip(let value): return ["net.IP": value.description]
        case .cidr(let value): return ["net.CIDR": value.description]
        }
    }

    private static func text(_ number: Double) -> String {
        number.isNaN ? "NaN" : (number.isInfinite ? (number < 0 ? "-Infinity" : "Infinity") : number.description)
    }

    /// A value in a form that is the same for equal values: entries of maps in order, and doubles in one spelling.
    static func sorted(_ json: Any) -> Any {
        guard let (type, content) = (json as? [String: Any])?.first else { return json }
        switch type {
        case "list": return [type: (content as? [Any] ?? []).map(Self.sorted)]
        case "map":
            let pairs = (content as? [[Any]] ?? []).map { $0.map(Self.sorted) }
            return [type: pairs.sorted { Self.text($0) < Self.text($1) }]
        case "double": return [type: Self.double(content as? String ?? "").map(Self.text) ?? content]
        default: return json
        }
    }

    /// JSON as text with sorted keys.
    static func text(_ json: Any) -> String {
        let data = try? JSONSerialization.data(
            withJSONObject: json, options: [.sortedKeys, .fragmentsAllowed, .withoutEscapingSlashes])
        return data.map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
