public import StageKit

extension ThrottleStage {
    /// The settings under `throttle`.
    public struct Settings: Sendable {
        /// How many events go on.
        public var rate = Rate(count: 1, unit: 1)
        /// How many may come at once; nil for as many as the rate lets through in its unit.
        public var burst: Int?
        /// The fields whose values have a rate of their own; empty for one rate for all events.
        public var by: [MarkedName] = []
        /// How many keys are remembered.
        public var keys = 10_000

        /// The most keys: some 100 MiB of memory.
        static let keyLimit = 1_000_000

        /// The settings' names and types in the file.
        static let schema = SettingsSchema(
            Settings(),
            [
                .required(
                    "rate", \.rate, Rate.type, "Events that continue: 100/s, 5/m or 1/h, by the entries' ids."),
                .optional(
                    "burst", \.burst, .optional(.integer(1...Rate.countLimit)),
                    "Events that may continue at the same time; default: the number in the rate."),
                .optional(
                    "by", \.by, .list(of: .name, orSingle: true), default: "[]",
                    "Fields whose values have a rate each; without it, all events share one rate."),
                .optional(
                    "keys", \.keys, .integer(1...Settings.keyLimit), default: "10000",
                    "Different values that are remembered; the oldest are forgotten for new ones."),
            ])
    }
}
