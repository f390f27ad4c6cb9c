import StageKit

/// How one worker processes several keys at the same time: the file's top-level section `lanes`.
struct LaneSettings: Sendable, Equatable {
    /// The most lanes: each has stages of its own and, where stages send messages, a connection of its own.
    static let limit = 64

    /// Number of lanes.
    var count = 1
    /// The field of the entry whose value says which lane an event takes.
    var key = ""

    /// How the section is read.
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
