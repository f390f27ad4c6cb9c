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
                    "fields", \.fields, .map(of: .object(FieldRule.schema), minimum: 1),
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
                    "string keeps the bytes as they are; int64 also parses a 64-bit whole number."),
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
                    "Path of the value within nested JSON objects: names joined by dots; \\. is a dot within a name."),
            ])
    }

    /// The type of a field's value.
    public enum FieldType: String, Sendable, CaseIterable {
        /// Bytes, unchanged.
        case string
        /// A 64-bit integer in decimal notation.
        case int64
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
