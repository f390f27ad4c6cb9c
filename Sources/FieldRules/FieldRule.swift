public import StageKit

/// The rule for one field that a stage reads from an entry or from JSON.
public struct FieldRule: Sendable {
    /// The type of the value.
    public var type = FieldTypeName.string
    /// The form in which times and durations are written, or `nil` for the usual one.
    public var format: TimeForm?
    /// Whether an event without the field fails.
    public var isRequired = false
    /// The handling of a blank value.
    public var blank = BlankRule.allow
    /// Whether the value must not be shown in logs and to observers.
    public var isSecret = false
    /// The path of the value within the JSON object, or `nil` for the member with the field's name.
    public var path: JSONPath?

    /// Creates the rule of an optional text field.
    public init() {}

    /// The settings' names and types in the file.
    private static let schema = SettingsSchema(
        FieldRule(),
        [
            .optional(
                "type", \.type, .fieldTypeName, default: "string",
                "Type of the value: string and bytes are not checked, the others fail the event if the value "
                    + "has another form. The value's text is always kept."),
            .optional(
                "format", \.format, .optional(.timeForm),
                "Form of a timestamp: rfc3339 (the default), or a number of s, ms, us or ns since 1970; of a "
                    + "duration: a number of s, ms, us or ns, otherwise text such as 1h30m."),
            .optional(
                "required", \.isRequired, .boolean, default: "false", "Whether an event without the field fails."),
            .optional(
                "blank", \.blank, .choice(of: BlankRule.allCases.map { ($0.rawValue, $0) }), default: "allow",
                "Whether an event fails if the value is empty or only white space."),
            .optional(
                "secret", \.isSecret, .boolean, default: "false",
                "Whether [secret] replaces the value in logs, error messages, the journal and other views."),
            .optional(
                "path", \.path, .optional(JSONPath.type),
                "Path of the value within the JSON object: names joined by dots, [0] for the first element of a "
                    + "list, [*] for a list of all its elements; \\. is a dot within a name."),
        ])

    /// The decoder, which also checks combinations.
    package static let settings = SettingType<FieldRule>(shape: .object(Self.schema.descriptions)) { node, issues in
        guard let rule = Self.schema.decode(node, &issues) else { return nil }
        let before = issues.all.count
        if let refusal = rule.format.flatMap({ rule.type.refusal(of: $0) }) {
            issues.add(refusal, at: node["format"]?.position ?? node.position)
        }
        if let path = rule.path, path.hasAll, rule.type != .json {
            issues.add("path: * results in a list, which requires type: json", at: path.position)
        }
        return issues.all.count == before ? rule : nil
    }

    /// The type of the field for other stages.
    package var fieldType: FieldType { self.type.type(self.format) }

    /// The handling of a value that is empty or only white space.
    public enum BlankRule: String, Sendable, CaseIterable {
        /// The event fails.
        case reject
        /// The value is accepted like any other.
        case allow
    }
}
