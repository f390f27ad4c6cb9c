public import FieldRules
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

    /// The handling of fields that are not declared.
    public enum UnknownFields: String, Sendable, CaseIterable {
        /// The event fails.
        case reject
        /// The fields are ignored.
        case ignore
    }
}
