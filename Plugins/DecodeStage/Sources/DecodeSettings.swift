public import StageKit

extension DecodeStage {
    /// What the YAML under `decode` says.
    public struct Settings: Sendable {
        /// The words that messages call an event by.
        public var event = "event"
        /// The entry's field that holds a JSON object with the fields; nil where they are the entry's own.
        public var json: String?
        /// The fields to decode, in the order they are checked.
        public var fields: [NamedSetting<FieldRule>] = []
        /// What becomes of an event with other fields.
        public var unknownFields = UnknownFields.reject

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "event", \.event, .nonBlankText, default: "event", "The words that messages call an event by."),
                .optional(
                    "json", \.json, .optional(.nonBlankText),
                    "The entry's field that holds a JSON object with the fields; without it they are the entry's own."),
                .required(
                    "fields", \.fields, .map(of: .object(FieldRule.schema), minimum: 1),
                    "The fields to decode, by name; they are checked in this order."),
                .optional(
                    "unknown_fields", \.unknownFields,
                    .choice(of: UnknownFields.allCases.map { ($0.rawValue, $0) }), default: "reject",
                    "Whether an event with other fields fails, or they are left alone."),
            ])
    }

    /// How one field is decoded.
    public struct FieldRule: Sendable {
        /// What the value is.
        public var type = FieldType.string
        /// Whether an event without the field fails.
        public var isRequired = false
        /// What becomes of an event whose value is empty or white space.
        public var blank = BlankRule.allow
        /// Whether the value must not be shown in logs and to those who watch.
        public var isSecret = false
        /// Where the value is within the JSON object's objects; nil for the member of the field's name.
        public var path: JSONPath?

        /// How the file spells them.
        static let schema = SettingsSchema(
            FieldRule(),
            [
                .optional(
                    "type", \.type, .choice(of: FieldType.allCases.map { ($0.rawValue, $0) }), default: "string",
                    "string keeps the bytes as they are; int64 also reads a whole number of 64 bits."),
                .optional(
                    "required", \.isRequired, .boolean, default: "false", "Whether an event without the field fails."),
                .optional(
                    "blank", \.blank, .choice(of: BlankRule.allCases.map { ($0.rawValue, $0) }), default: "allow",
                    "Whether an event fails whose value is empty or nothing but white space."),
                .optional(
                    "secret", \.isSecret, .boolean, default: "false",
                    "Whether [secret] replaces the value in logs, error messages, the journal and other views."),
                .optional(
                    "path", \.path, .optional(JSONPath.type),
                    "Where the value is within the JSON object's objects: names joined by dots."),
            ])
    }

    /// What a field's value is.
    public enum FieldType: String, Sendable, CaseIterable {
        /// Bytes, kept as they came.
        case string
        /// A whole number of 64 bits, in decimal digits.
        case int64
    }

    /// What becomes of a value that is empty or nothing but white space.
    public enum BlankRule: String, Sendable, CaseIterable {
        /// The event fails.
        case reject
        /// It is a value like any other.
        case allow
    }

    /// What becomes of fields that are not declared.
    public enum UnknownFields: String, Sendable, CaseIterable {
        /// The event fails.
        case reject
        /// They are left alone.
        case ignore
    }
}
