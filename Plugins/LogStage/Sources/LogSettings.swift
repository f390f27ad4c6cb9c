public import Logging
public import StageKit

extension LogStage {
    /// The settings under `log`.
    public struct Settings: Sendable {
        /// The log level.
        public var level = Logger.Level.info
        /// The message of the line.
        public var message = "event"
        /// Fields whose values are logged.
        public var fields: [LocatedName] = []

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "level", \.level, .choice(of: Logger.Level.allCases.map { ($0.rawValue, $0) }), default: "info",
                    "The log level."),
                .optional("message", \.message, .nonBlankText, default: "event", "Message of the line."),
                .optional(
                    "fields", \.fields, .list(of: .name), default: "[]",
                    "Fields whose values are logged, if the event has them."),
            ])
    }
}
