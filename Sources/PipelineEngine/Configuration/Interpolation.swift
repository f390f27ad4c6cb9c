import StageKit

/// Inserts environment variables into values after parsing, so that a value can never become structure.
///
/// `${NAME}`, `${NAME:-default}` (also if NAME is empty), `${NAME:?message}`; `$${` stands for a literal `${`.
struct Interpolation {
    /// The variables there are.
    let environment: [String: String]

    /// An error in a value.
    struct Problem: Error {
        /// The problem and its remedy.
        var message: String
    }

    /// The text with every variable put in.
    func expand(_ text: String) throws(Problem) -> String {
        guard text.contains("${") else { return text }
        var result = ""
        var rest = text[...]
        while let start = rest.firstRange(of: "${") {
            if start.lowerBound > rest.startIndex, rest[rest.index(before: start.lowerBound)] == "$" {
                result += rest[..<rest.index(before: start.lowerBound)] + "${"
                rest = rest[start.upperBound...]
                continue
            }
            result += rest[..<start.lowerBound]
            guard let end = rest[start.upperBound...].firstIndex(of: "}") else {
                throw Problem(message: "\"${\" without \"}\" (write $${ for the characters themselves)")
            }
            result += try self.value(of: rest[start.upperBound..<end])
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private func value(of expression: Substring) throws(Problem) -> String {
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
        if rest.hasPrefix(":-") { return String(rest.dropFirst(2)) }
        if rest.hasPrefix(":?") {
            throw Problem(message: "the environment variable \(name) is not set: \(rest.dropFirst(2))")
        }
        throw Problem(message: "\"${\(expression)}\": write ${NAME}, ${NAME:-default} or ${NAME:?message}")
    }
}
