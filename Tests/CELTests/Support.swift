import CEL
import Testing

/// An expression with the text of its value, or with the message of its error.
struct Example: CustomTestStringConvertible, Sendable {
    var text: String
    var expected: String

    init(_ text: String, _ expected: String) {
        self.text = text
        self.expected = expected
    }

    var testDescription: String { self.text }
}

/// Evaluates an expression without variables and returns its value as text, or `error: ` and the message.
func outcome(_ text: String, checked: Bool = true, variables: [(String, ExpressionType, Value?)] = []) -> String {
    var environment = ExpressionEnvironment(variables.map { .init($0.0, $0.1) })
    environment.isChecked = checked
    environment.allowsHasOfVariables = !variables.isEmpty
    environment.timeZone = { name, _ in name == "Test/Zone" ? 3 * 3600 + 1800 : nil }
    do {
        let program = try Program(text, environment)
        return shown(try program.evaluate(VariableValues(variables.map(\.2))))
    } catch {
        return "error: \(error)"
    }
}

/// A value in the form of a literal.
func shown(_ value: Value) -> String {
    switch value {
    case .null: "null"
    case .bool(let value): String(value)
    case .int(let value): String(value)
    case .uint(let value): "\(value)u"
    case .double(let value): value.description
    case .string(let value): "'\(value)'"
    case .bytes(let value): "bytes\(value)"
    case .list(let values): "[\(values.map(shown).joined(separator: ", "))]"
    case .map(let map): "{\(map.pairs.map { "\(shown($0.key)): \(shown($0.value))" }.joined(separator: ", "))}"
    case .timestamp(let value): value.description
    case .duration(let value): value.description
    case .type(let value): value.rawValue
    case .optional(let value): value.wrapped.map { "some(\(shown($0)))" } ?? "none"
    case .ip(let value): value.description
    case .cidr(let value): value.description
    }
}

/// The problems of an expression, each with its position.
func problems(_ text: String, _ environment: ExpressionEnvironment = ExpressionEnvironment()) -> [String] {
    do {
        _ = try Program(text, environment)
        return []
    } catch {
        return error.problems.map(\.description)
    }
}
