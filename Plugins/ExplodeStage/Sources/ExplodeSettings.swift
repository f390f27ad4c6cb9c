public import FieldRules
public import StageKit

extension ExplodeStage {
    /// The settings under `explode`.
    public struct Settings: Sendable {
        /// The field that contains the list.
        public var field = LocatedName.unread
        /// The fields to read from each element, which must be an object, in the order in which they are checked.
        public var fields: [NamedSetting<FieldRule>] = []
        /// The field to set to the element itself, or `nil` for none.
        public var name: LocatedName?
        /// The type of that field.
        public var type: FieldTypeName?
        /// The form of that field, if it is a time or a duration.
        public var format: TimeForm?
        /// The maximum number of elements of an event.
        public var maxElements = Self.defaultElements

        /// The default of `maxElements`: far above the lists of an event, and a thousand events of a few hundred bytes
        /// for each entry of a batch.
        static let defaultElements = 1000

        /// The rule of the field that is set to the element itself, which every event has.
        var elementRule: FieldRule {
            var rule = FieldRule()
            rule.type = self.type ?? .json
            rule.format = self.format
            rule.isRequired = true
            return rule
        }

        private static let schema = SettingsSchema(
            Settings(),
            [
                .required("field", \.field, .name, "Field that contains the list."),
                .optional(
                    "fields", \.fields, .map(of: FieldRule.settings, minimum: 1),
                    "Fields to read from each element, by name, as in decode; each element is then an object. The path "
                        + "of a field begins in the element."),
                .optional("as", \.name, .optional(.name), "Field to set to the element itself."),
                .optional(
                    "type", \.type, .optional(.fieldTypeName),
                    "Type of the field in as; json if it is omitted."),
                .optional(
                    "format", \.format, .optional(.choice(of: TimeForm.allCases.map { ($0.rawValue, $0) })),
                    "Form of the field in as, if it is a timestamp or a duration."),
                .optional(
                    "max_elements", \.maxElements, .integer(1...WaitingEvents.elementLimit), default: "1000",
                    "Maximum number of elements; an event with more fails."),
            ], alternatives: [.atLeastOne("fields", "as")])

        /// The decoder of the settings, which also checks combinations.
        static let settings = SettingType<Settings>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let read = Self.schema.decode(node, &issues) else { return nil }
            let before = issues.all.count
            guard let name = read.name else {
                if read.fields.isEmpty { issues.add("missing setting \"fields\" or \"as\"", at: node.position) }
                for setting in ["type", "format"] {
                    if let value = node[setting] { issues.add("\(setting) requires as", at: value.position) }
                }
                return issues.all.count == before ? read : nil
            }
            if read.fields.contains(where: { $0.name == name.text }) {
                issues.add("as: \"\(name.text)\" is also in fields: choose another name", at: name.position)
            }
            if let format = read.format {
                let position = node["format"]?.position ?? node.position
                if read.type != .timestamp, read.type != .duration {
                    issues.add("format requires type: timestamp or duration", at: position)
                } else if read.type == .duration, format == .text {
                    issues.add(
                        "format: a duration is not an RFC 3339 time: use s, ms, us or ns, or no format for text such "
                            + "as 1h30m", at: position)
                }
            }
            return issues.all.count == before ? read : nil
        }
    }
}
