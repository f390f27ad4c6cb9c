public import StageKit

extension LookupStage {
    /// What happens to an event whose key has no snapshot.
    public enum Missing: Sendable {
        /// The event continues without the fields.
        case pass
        /// The event fails.
        case fail
        /// The event continues with the values in `defaults`.
        case useDefaults
    }

    /// The settings under `lookup`.
    public struct Settings: Sendable {
        /// The store to look in.
        public var store = MarkedName.unread
        /// The event's field that contains the key.
        public var key = MarkedName.unread
        /// The event's fields to set, with the names of the snapshot's fields.
        public var fields: [NamedSetting<MarkedName>] = []
        /// What to do without a snapshot.
        public var missing = Missing.fail
        /// The values of fields that have none, by the event's field.
        public var defaults: [NamedSetting<String>]?

        static let schema = SettingsSchema(
            Settings(),
            [
                .required("store", \.store, .name, "The store to look in, as declared under stores."),
                .required("key", \.key, .name, "The event's field that contains the key of the snapshot."),
                .required(
                    "fields", \.fields, .map(of: .name, minimum: 1),
                    "The fields to set on the event, each with the name of the snapshot's field."),
                .optional(
                    "missing", \.missing,
                    .choice(of: [("pass", .pass), ("fail", .fail), ("default", .useDefaults)]), default: "fail",
                    "What to do if the key has no snapshot or the snapshot lacks a field: continue without the value, "
                        + "fail the event, or set the value in defaults."),
                .optional(
                    "defaults", \.defaults, .optional(.map(of: .text, minimum: 1)),
                    "With missing: default, the text to set for each of the fields."),
            ])

        /// The decoder of the settings, which also checks that `missing` and `defaults` fit together.
        static let type = SettingType<Settings>(shape: .object(Self.schema.descriptions)) { node, issues in
            guard let settings = Self.schema.decode(node, &issues) else { return nil }
            let mark = node["defaults"]?.mark ?? node.mark
            guard case .useDefaults = settings.missing else {
                if settings.defaults == nil { return settings }
                issues.add("defaults are used only with missing: default", at: mark)
                return nil
            }
            let names = settings.fields.map(\.name)
            let defaults = settings.defaults ?? []
            for name in names where !defaults.contains(where: { $0.name == name }) {
                issues.add("missing: default needs a value for \"\(name)\" in defaults", at: mark)
            }
            for value in defaults where !names.contains(value.name) {
                let hint = Nearest.hint(for: value.name, among: names)
                issues.add("defaults: \"\(value.name)\" is none of the fields\(hint)", at: value.mark)
            }
            return settings
        }
    }
}
