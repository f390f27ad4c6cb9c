import StageKit

/// How one worker processes several keys at the same time: the file's top-level section `lanes`.
struct LaneSettings: Sendable, Equatable {
    /// The maximum number of lanes: each has stages of its own and, if stages send messages, a connection of its own.
    static let limit = 64

    /// The number of lanes.
    var count = 1
    /// The field of the entry whose value determines the lane of an event.
    var key = ""

    /// The schema of the settings.
    static let type = SettingType.object(
        SettingsSchema(
            LaneSettings(),
            [
                .required(
                    "count", \.count, .integer(2...Self.limit),
                    "How many lanes there are, each with stages of its own."),
                .required(
                    "key", \.key, .nonBlankText,
                    "The field of the entry whose value keeps events in one lane, and so in order; those without it "
                        + "share one."),
            ]))
}
