public import StageKit

/// Settings written as Swift literals: `["status": ["one_of": ["active", "revoked"]]]`.
///
/// All positions are 1:1 unless set with `at`; a name has the position of its value.
extension SettingNode: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    /// Creates text without quotes, which can also be a number or a boolean.
    public init(stringLiteral value: String) {
        self = .text(value)
    }

    /// Creates a list.
    public init(arrayLiteral elements: SettingNode...) {
        self = .list(elements)
    }

    /// Creates names with values.
    public init(dictionaryLiteral elements: (String, SettingNode)...) {
        self = .mapping(elements)
    }

    /// Returns text without quotes.
    public static func text(_ text: String) -> SettingNode {
        SettingNode(.scalar(text, isPlain: true), at: SettingPosition(line: 1, column: 1))
    }

    /// Returns a list.
    public static func list(_ elements: [SettingNode]) -> SettingNode {
        SettingNode(.sequence(elements), at: SettingPosition(line: 1, column: 1))
    }

    /// Returns names with values, in this order.
    public static func mapping(_ elements: [(String, SettingNode)]) -> SettingNode {
        let entries = elements.map { Pair(key: $0.0, position: $0.1.position, value: $0.1) }
        return SettingNode(.mapping(entries), at: SettingPosition(line: 1, column: 1))
    }

    /// Returns names with values as the YAML reader makes them: each on a line of its own, from line 2 on.
    package static func lines(_ elements: [(String, SettingNode)]) -> SettingNode {
        .mapping(elements.enumerated().map { ($1.0, $1.1.at($0 + 2, 3)) })
    }

    /// Returns the node with another position.
    public func at(_ line: Int, _ column: Int) -> SettingNode {
        SettingNode(self.content, at: SettingPosition(line: line, column: column))
    }
}

extension SettingType {
    /// Decodes a node.
    ///
    /// - Returns: The value, or `nil` if there are errors, and the errors with their lines.
    package func decoded(_ node: SettingNode) -> (value: Value?, issues: [String]) {
        var issues = SettingIssues()
        let value = self.decode(node, &issues)
        return (issues.all.isEmpty ? value : nil, issues.all.map { "\($0.position.line): \($0.message)" })
    }
}
