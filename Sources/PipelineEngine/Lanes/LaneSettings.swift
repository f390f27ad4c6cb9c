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
                    "Number of lanes, each with its own instances of the stages."),
                .required(
                    "key", \.key, .nonBlankText,
                    "Field of the entry whose value selects the lane: events with the same value stay in order; "
                        + "events without it share a lane."),
            ]))
}
