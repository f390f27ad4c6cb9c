public import Logging
public import StageKit

extension LogStage {
    /// What the YAML under `log` says.
    public struct Settings: Sendable {
        /// How grave the line is.
        public var level = Logger.Level.info
        /// The line's words.
        public var message = "event"
        /// The fields shown.
        public var fields: [MarkedName] = []

        /// How the file spells them.
        static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "level", \.level, .choice(of: Logger.Level.allCases.map { ($0.rawValue, $0) }), default: "info",
                    "How grave the line is."),
                .optional("message", \.message, .nonBlankText, default: "event", "The line's words."),
                .optional(
                    "fields", \.fields, .list(of: .name), default: "[]",
                    "The fields whose values are shown, where the event has them."),
            ])
    }
}
