public import StageKit

extension ThrottleStage {
    /// The settings under `throttle`.
    public struct Settings: Sendable {
        /// The rate of events that continue.
        public var rate = Rate(count: 1, unit: 1)
        /// The number of events that may arrive at the same time, or `nil` for the number of events per unit of the
        /// rate.
        public var burst: Int?
        /// The fields and expressions whose values are limited separately, or empty for one rate for all events.
        public var by: [KeyPart] = []
        /// The maximum number of keys that are remembered.
        public var keys = 10_000

        /// The upper limit of `keys`: about 100 MiB of memory.
        static let keyLimit = 1_000_000

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "rate", \.rate, Rate.type,
                    "Rate of events that continue: 100/s, 5/m or 1/h, by the time in the ids of the entries."),
                .optional(
                    "burst", \.burst, .optional(.integer(1...Rate.countLimit)),
                    "Number of events that may pass in a burst; default: the number in the rate."),
                .optional(
                    "by", \.by, .list(of: .keyPart, orSingle: true), default: "[]",
                    "Fields or expressions whose values are limited separately; without it, all events share one."),
                .optional(
                    "keys", \.keys, .integer(1...Settings.keyLimit), default: "10000",
                    "Maximum number of remembered values; the oldest are forgotten first."),
            ])
    }
}
