import CEL
import StageKit

/// Values of expressions as JSON documents contain them, and as commands print them.
enum FieldValue {
    /// The type of a value for the checker; the elements of lists and maps may have any.
    static func type(of value: Value) -> ExpressionType {
        switch value {
        case .bool: .bool
        case .int: .int
        case .uint: .uint
        case .double: .double
        case .string: .string
        case .list: .list(.dyn)
        case .map: .map(.string, .dyn)
        default: .dyn
        }
    }

    /// The value in the form of a literal of the language.
    static func text(_ value: Value) -> String {
        switch value {
        case .string(let text): self.quoted(text)
        case .uint(let number): "\(number)u"
        case .double(let number): number.isFinite ? number.description : "double(\"\(value.text)\")"
        case .bytes(let bytes):
            "b\"" + bytes.map { "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
        case .list(let values): "[" + values.map(self.text).joined(separator: ", ") + "]"
        case .map(let map):
            "{" + map.pairs.map { "\(self.text($0.key)): \(self.text($0.value))" }.joined(separator: ", ") + "}"
        case .timestamp(let time): "timestamp(\"\(time)\")"
        case .duration(let duration): "duration(\"\(duration)\")"
        case .optional(let optional): optional.wrapped.map { "optional.of(\(self.text($0)))" } ?? "optional.none()"
        case .ip(let address): "ip(\"\(address)\")"
        case .cidr(let range): "cidr(\"\(range)\")"
        case .null, .bool, .int, .type: value.text
        }
    }

    /// Text in quotation marks; characters that a terminal would interpret are escaped.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                let digits = String(scalar.value, radix: 16)
                result += "\\U" + String(repeating: "0", count: 8 - digits.utf8.count) + digits
            default: result += scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : String(scalar)
            }
        }
        return result + "\""
    }
}
