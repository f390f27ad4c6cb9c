public import StageKit

/// Settings written as Swift literals: `["status": ["one_of": ["active", "revoked"]]]`.
///
/// Everything stands at 1:1 until `at` says otherwise; a name stands where its value does.
extension SettingNode: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    /// Text without quotes, as numbers and truth values are written too.
    public init(stringLiteral value: String) {
        self = .text(value)
    }

    /// A list.
    public init(arrayLiteral elements: SettingNode...) {
        self = .list(elements)
    }

    /// Names with values.
    public init(dictionaryLiteral elements: (String, SettingNode)...) {
        self = .mapping(elements)
    }

    /// Text without quotes.
    public static func text(_ text: String) -> SettingNode {
        SettingNode(.scalar(text, isPlain: true), at: SourceMark(line: 1, column: 1))
    }

    /// A list.
    public static func list(_ elements: [SettingNode]) -> SettingNode {
        SettingNode(.sequence(elements), at: SourceMark(line: 1, column: 1))
    }

    /// Names with values, in this order.
    public static func mapping(_ elements: [(String, SettingNode)]) -> SettingNode {
        let entries = elements.map { Entry(key: $0.0, mark: $0.1.mark, value: $0.1) }
        return SettingNode(.mapping(entries), at: SourceMark(line: 1, column: 1))
    }

    /// The same, standing somewhere else in the file.
    public func at(_ line: Int, _ column: Int) -> SettingNode {
        SettingNode(self.content, at: SourceMark(line: line, column: column))
    }
}
