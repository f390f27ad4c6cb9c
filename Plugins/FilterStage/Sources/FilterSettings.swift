public import StageKit

extension FilterStage {
    /// What the YAML under `filter` says: which events stay, or which do not.
    public struct Settings: Sendable {
        /// The events to keep; nil where the file says which to drop.
        public var keep: ConditionSettings?
        /// The events to drop; nil where the file says which to keep.
        public var drop: ConditionSettings?
        /// The reason that events which do not stay are counted under.
        public var reason = "filtered"

        /// How the file spells them.
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
                    "Events that go on, by the values of their fields; all others end here."),
                .optional(
                    "drop", \.drop, .optional(.condition),
                    "Events that end here, by the values of their fields; all others go on."),
                .optional(
                    "reason", \.reason, Settings.reasonName, default: "filtered",
                    "The reason that events which end here are counted under."),
            ])

        /// Reasons are labels of metrics and words in journals, so they look alike.
        private static let reasonName = SettingType<String>(
            shape: .form("a to z, digits and _, a letter first", pattern: "^[a-z][a-z0-9_]*$")
        ) { node, issues in
            guard let text = SettingType<String>.text.decode(node, &issues) else { return nil }
            let isWord = text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x5F
            }
            if isWord, let first = text.utf8.first, (0x61...0x7A).contains(first) { return text }
            issues.add("\"\(text)\" is no reason's name: a to z, digits and _ only, a letter first", at: node.mark)
            return nil
        }
    }
}
