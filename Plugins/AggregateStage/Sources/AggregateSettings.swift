public import StageKit

extension AggregateStage {
    /// The settings under `aggregate`.
    public struct Settings: Sendable {
        /// The fields and expressions whose values have windows of their own, or empty for one window for all events.
        public var key: [KeyPart] = []
        /// The length of a window.
        public var window = Duration.zero
        /// How long a window stays open after its end.
        public var lateness = Duration.zero
        /// The field with the time of an event, or `nil` for the time in the entry's id.
        public var time: LocatedName?
        /// How far the time of an event may be ahead of the clock.
        public var ahead = Duration.seconds(60)
        /// Whether windows are closed by the clock of the stream's server while the stream is silent.
        public var closesIdle = false
        /// The values of a window's event, in the order of the file.
        public var values: [NamedSetting<Measure>] = []
        /// The maximum number of open windows, counted for each key.
        public var groups = 10_000
        /// The maximum number of different values that are counted in a window.
        public var distinct = 10_000

        /// The longest window and the longest lateness: beyond it, a window would rather be a table in a database.
        static let longest = Duration.seconds(366 * 86_400)
        /// The upper limit of `groups`: about 100 MB of memory with short keys.
        static let groupLimit = 100_000
        /// The upper limit of `distinct`: 8 to 16 bytes of memory a value.
        static let distinctLimit = 1_000_000
        /// The maximum number of values.
        static let valueLimit = 32

        /// The settings' names and types in the file.
        static let type = SettingType.object(Self.schema).map { (settings) throws(SettingRefusal) in
            guard settings.values.count <= Self.valueLimit else {
                throw SettingRefusal("values: at most \(Self.valueLimit) values")
            }
            guard !settings.closesIdle || settings.time == nil else {
                throw SettingRefusal("idle: close requires the time in the entries' ids: remove time, or idle")
            }
            return settings
        }

        private static let schema = SettingsSchema(
            Settings(),
            [
                .optional(
                    "key", \.key, .list(of: .keyPart, orSingle: true), default: "[]",
                    "Fields or expressions whose values have windows of their own; without it, all events share one."),
                .required(
                    "window", \.window, Self.duration(minimum: .milliseconds(1)),
                    "Length of a window; windows begin at multiples of it since 1970-01-01T00:00:00Z."),
                .optional(
                    "lateness", \.lateness, Self.duration(minimum: .zero), default: "0s",
                    "How long a window stays open after its end, by the time of the newest event."),
                .optional(
                    "time", \.time, .optional(.name),
                    "Field of type timestamp with the time of an event; without it, the time in the entry's id."),
                .optional(
                    "ahead", \.ahead, Self.duration(minimum: .zero), default: "1m",
                    "How far the time in the field may be ahead of the worker's clock."),
                .optional(
                    "idle", \.closesIdle, .choice(of: [("wait", false), ("close", true)]), default: "wait",
                    "Open windows of a silent stream: wait for the next entry, or close by the server's clock. Choose "
                        + "close only if the server generates the ids."),
                .required(
                    "values", \.values, .map(of: Measure.type, minimum: 1),
                    "Values of a window's event: count, or sum, min, max, avg or distinct with a field."),
                .optional(
                    "groups", \.groups, .integer(1...Settings.groupLimit), default: "10000",
                    "Maximum number of open windows, counted for each key; further events fail."),
                .optional(
                    "distinct", \.distinct, .integer(1...Settings.distinctLimit), default: "10000",
                    "Maximum number of different values that distinct counts in a window."),
            ])

        private static func duration(minimum: Duration) -> SettingType<Duration> {
            SettingType<Duration>.duration(minimum: minimum).map { (duration) throws(SettingRefusal) in
                guard duration <= Self.longest else {
                    throw SettingRefusal("\(SettingUnits.text(duration)) is too long: the maximum is 366d")
                }
                guard duration.microseconds % 1000 == 0 else {
                    throw SettingRefusal("expected whole milliseconds, found \(SettingUnits.text(duration))")
                }
                return duration
            }
        }
    }
}
