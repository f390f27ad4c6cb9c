public import StageKit

extension DedupeStage {
    /// The settings under `dedupe`.
    public struct Settings: Sendable {
        /// The fields and expressions whose values identify duplicates.
        public var by: [KeyPart] = []
        /// The maximum number of distinct events that are remembered.
        public var remember = 100_000
        /// How long an event is remembered, according to the entries' ids, or `nil` for as long as there is room.
        public var within: Duration?

        /// The upper limit of `remember`: about 1 GiB of memory.
        static let rememberLimit = 10_000_000

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "by", \.by, .list(of: .keyPart, orSingle: true, minimum: 1),
                    "Fields or expressions whose values identify equal events."),
                .optional(
                    "remember", \.remember, .integer(1...Settings.rememberLimit), default: "100000",
                    "Maximum number of remembered events; the oldest is forgotten first."),
                .optional(
                    "within", \.within, .optional(.duration(minimum: .milliseconds(1))),
                    "Maximum time between two equal events, by the ids of their entries."),
            ])
    }
}
