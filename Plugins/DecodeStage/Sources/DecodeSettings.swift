public import StageKit

extension DecodeStage {
    /// The settings under `decode`.
    public struct Settings: Sendable {
        /// The name of an event in messages.
        public var event = "event"
        /// The entry's field that contains a JSON object with the fields, or `nil` if they are the entry's own fields.
        public var json: String?
        /// The fields to decode, in the order in which they are checked.
        public var fields: [NamedSetting<FieldRule>] = []
        /// The handling of fields that are not declared.
        public var unknownFields = UnknownFields.reject

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "event", \.event, .nonBlankText, default: "event", "Name of the event in error messages."),
                .optional(
                    "json", \.json, .optional(.nonBlankText),
                    "Field of the entry that contains the fields as a JSON object; without it, they are fields of "
                        + "the entry."
                ),
                .required(
                    "fields", \.fields, .map(of: FieldRule.settings, minimum: 1),
                    "Fields to decode, by name; they are checked in this order."),
                .optional(
                    "unknown_fields", \.unknownFields,
                    .choice(of: UnknownFields.allCases.map { ($0.rawValue, $0) }), default: "reject",
                    "Whether an event with undeclared fields fails, or they are ignored."),
            ])
    }

    /// The rule for one field.
    public struct FieldRule: Sendable {
        /// The type of the value.
        public var type = FieldType.string
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

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            FieldRule(),
            [
                .optional(
                    "type", \.type, .choice(of: FieldType.allCases.map { ($0.rawValue, $0) }), default: "string",
                    "Type of the value: string and bytes are not checked, the others fail the event if the value "
                        + "has another form. The value's text is always kept."),
                .optional(
                    "format", \.format, .optional(.choice(of: TimeForm.allCases.map { ($0.rawValue, $0) })),
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
        static let settings = SettingType<FieldRule>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let rule = Self.schema.decode(node, &issues) else { return nil }
            let before = issues.all.count
            if let format = rule.format {
                let mark = node["format"]?.mark ?? node.mark
                if rule.type != .timestamp, rule.type != .duration {
                    issues.add("format requires type: timestamp or duration", at: mark)
                } else if rule.type == .duration, format == .text {
                    issues.add(
                        "format: a duration is not an RFC 3339 time: use s, ms, us or ns, or no format for text "
                            + "such as 1h30m", at: mark)
                }
            }
            if let path = rule.path, path.hasAll, rule.type != .json {
                issues.add("path: * results in a list, which requires type: json", at: path.mark)
            }
            return issues.all.count == before ? rule : nil
        }

        /// The type of the field for other stages.
        var fieldType: StageKit.FieldType {
            switch self.type {
            case .string: .text
            case .bytes: .bytes
            case .int64: .integer
            case .uint64: .unsigned
            case .double: .double
            case .bool: .bool
            case .timestamp: .timestamp(self.format ?? .text)
            case .duration: .duration(self.format ?? .text)
            case .json: .json
            }
        }
    }

    /// The type of a field's value.
    public enum FieldType: String, Sendable, CaseIterable {
        /// Text.
        case string
        /// Bytes that are not meant to be text.
        case bytes
        /// A 64-bit integer in decimal notation.
        case int64
        /// A 64-bit integer without a sign in decimal notation.
        case uint64
        /// A finite number in decimal notation.
        case double
        /// `true` or `false`.
        case bool
        /// A time.
        case timestamp
        /// A length of time.
        case duration
        /// A JSON value.
        case json
    }

    /// The handling of a value that is empty or only white space.
    public enum BlankRule: String, Sendable, CaseIterable {
        /// The event fails.
        case reject
        /// The value is accepted like any other.
        case allow
    }

    /// The handling of fields that are not declared.
    public enum UnknownFields: String, Sendable, CaseIterable {
        /// The event fails.
        case reject
        /// The fields are ignored.
        case ignore
    }
}
