public import StageKit

extension FilterStage {
    /// The settings under `filter`: which events to keep, or which to drop.
    public struct Settings: Sendable {
        /// The events to keep, or `nil` if the file names the events to drop.
        public var keep: ConditionSettings?
        /// The events to drop, or `nil` if the file names the events to keep.
        public var drop: ConditionSettings?
        /// The reason that is counted for skipped events.
        public var reason = "filtered"

        /// The settings' names and types in the file.
        static let type = SettingType.object(Settings.schema).map { (settings) throws(SettingRefusal) in
            guard (settings.keep == nil) != (settings.drop == nil) else {
                throw SettingRefusal("expected either keep or drop, with the values that fields must have")
            }
            return settings
        }

        private static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "keep", \.keep, .optional(.condition),
                    "Condition for events that continue; all others are skipped."),
                .optional(
                    "drop", \.drop, .optional(.condition),
                    "Condition for events that are skipped; all others continue."),
                .optional(
                    "reason", \.reason, Settings.reasonName, default: "filtered",
                    "Reason counted for skipped events."),
            ], alternatives: [.exactlyOne("keep", "drop")])

        /// Reasons are metric labels and journal values, so they all have the same form.
        private static let reasonName = SettingType<String>(
            shape: .form("a to z, digits and _, beginning with a letter", pattern: "^[a-z][a-z0-9_]*$")
        ) { node, issues in
            guard let text = SettingType<String>.text.decode(node, &issues) else { return nil }
            let isWord = text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
            }
            if isWord, let first = text.utf8.first, (0x61...0x7A).contains(first) { return text }
            issues.add(
                "\"\(text)\" is not a valid reason: use only a to z, digits and _, beginning with a letter",
                at: node.position)
            return nil
        }
    }
}
