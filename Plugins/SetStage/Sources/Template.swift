public import StageKit

/// Parsed text with field names in braces, such as `order {order_id}`. A literal brace is written twice.
public struct Template: Sendable, Equatable {
    /// A part of a template.
    public enum Piece: Sendable, Equatable {
        /// Literal text.
        case text(String)
        /// The value of the field of this name.
        case field(String)
    }

    /// The pieces in order, without adjacent texts.
    public var pieces: [Piece] = []

    /// Parses a template. Throws the problem if the braces are invalid.
    public init(_ text: String) throws(SettingRefusal) {
        var literal = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            switch character {
            case "{" where rest.first == "{", "}" where rest.first == "}":
                rest.removeFirst()
                literal.append(character)
            case "}":
                throw SettingRefusal("a } without { (write }} for a literal brace)")
            case "{":
                guard let end = rest.firstIndex(where: { $0 == "}" || $0 == "{" }), rest[end] == "}" else {
                    throw SettingRefusal("a { without } (write {{ for a literal brace)")
                }
                let name = rest[..<end]
                guard name.contains(where: { !$0.isWhitespace }) else {
                    throw SettingRefusal("expected the name of a field between { and }")
                }
                if !literal.isEmpty { self.pieces.append(.text(literal)) }
                literal = ""
                self.pieces.append(.field(String(name)))
                rest = rest[rest.index(after: end)...]
            default:
                literal.append(character)
            }
        }
        if !literal.isEmpty { self.pieces.append(.text(literal)) }
    }

    /// The form in the file.
    static let type = SettingType<String>.text.map { (text) throws(SettingRefusal) in try Template(text) }
}
