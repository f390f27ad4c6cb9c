import YAML

/// A tree as one line with all positions, so that a test can state everything it expects.
///
/// `1:1{1:1(a)=1:4'b'}`: the position, then plain text in `()`, other text in `''`, lists in `[]`, mappings in `{}`.
func outline(_ node: YAMLNode?) -> String {
    guard let node else { return "nil" }
    let position = "\(node.position.line):\(node.position.column)"
    switch node.content {
    case .scalar(let scalar):
        return position + (scalar.isPlain ? "(\(scalar.text))" : "'\(scalar.text)'")
    case .sequence(let items):
        return position + "[" + items.map(outline).joined(separator: " ") + "]"
    case .mapping(let pairs):
        return position + "{" + pairs.map { outline($0.key) + "=" + outline($0.value) }.joined(separator: " ") + "}"
    }
}

/// The error of a document that must be refused; nil if it was not.
func refusal(of text: String, limits: YAMLLimits = .default) -> YAMLError? {
    do {
        _ = try YAMLParser.parse(text, limits: limits)
        return nil
    } catch {
        return error
    }
}
