import StageKit

/// Inserts environment variables into values after parsing, so that a value can never become structure.
///
/// `${NAME}`, `${NAME:-default}` (also if NAME is empty), `${NAME:?message}`; `$${` yields a literal `${`. A default or
/// a message may contain further expressions: `${A:-${B:-x}}`. Only the default that is used is expanded.
struct Interpolation {
    /// The maximum nesting of expressions: more than a person can read, and it needs little stack.
    static let depthLimit = 16

    /// The environment variables.
    let environment: [String: String]

    /// An error in a value.
    struct Problem: Error {
        /// The problem and its remedy.
        var message: String
    }

    /// Returns the text with every variable inserted.
    ///
    /// - Throws: `Problem` for a variable that is not set and has no default, and for a malformed expression.
    func expand(_ text: String) throws(Problem) -> String {
        guard text.contains("${") else { return text }
        return try self.expand(text[...], depth: 1)
    }

    private func expand(_ text: Substring, depth: Int) throws(Problem) -> String {
        guard depth <= Self.depthLimit else {
            throw Problem(message: "expressions \"${...}\" are nested more than \(Self.depthLimit) deep")
        }
        var result = ""
        var rest = text
        while let start = rest.firstRange(of: "${") {
            if Self.isEscaped(start.lowerBound, in: rest) {
                result += rest[..<rest.index(before: start.lowerBound)] + "${"
                rest = rest[start.upperBound...]
                continue
            }
            result += rest[..<start.lowerBound]
            guard let end = Self.end(of: rest[start.upperBound...]) else {
                throw Problem(message: "\"${\" without \"}\" (write $${ for a literal ${)")
            }
            result += try self.value(of: rest[start.upperBound..<end], depth: depth)
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func isEscaped(_ index: Substring.Index, in text: Substring) -> Bool {
        index > text.startIndex && text[text.index(before: index)] == "$"
    }

    /// The brace that closes an expression whose content begins here; nested expressions have braces of their own.
    private static func end(of text: Substring) -> Substring.Index? {
        var depth = 1
        var rest = text
        while let brace = rest.firstIndex(where: { $0 == "}" || $0 == "{" }) {
            if text[brace] == "}" {
                depth -= 1
                if depth == 0 { return brace }
            } else if brace > text.startIndex {
                let dollar = text.index(before: brace)
                if text[dollar] == "$", !self.isEscaped(dollar, in: text) { depth += 1 }
            }
            rest = text[text.index(after: brace)...]
        }
        return nil
    }

    private func value(of expression: Substring, depth: Int) throws(Problem) -> String {
        let name = expression.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        let rest = expression.dropFirst(name.count)
        guard !name.isEmpty, name.first?.isNumber == false else {
            throw Problem(message: "\"${\(expression)}\" does not name an environment variable")
        }
        let found = self.environment[String(name)]
        if rest.isEmpty {
            if let found { return found }
            throw Problem(
                message: "the environment variable \(name) is not set (write ${\(name):-default} to give a default)")
        }
        if let found, !found.isEmpty { return found }
        if rest.hasPrefix(":-") { return try self.expand(rest.dropFirst(2), depth: depth + 1) }
        if rest.hasPrefix(":?") {
            let message = try self.expand(rest.dropFirst(2), depth: depth + 1)
            throw Problem(message: "the environment variable \(name) is not set: \(message)")
        }
        throw Problem(message: "\"${\(expression)}\": write ${NAME}, ${NAME:-default} or ${NAME:?message}")
    }
}
