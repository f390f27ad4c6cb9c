public import StageKit

/// What a `redis_stream` source reads and how.
public struct RedisStreamSettings: Sendable, Equatable {
    /// The stream's key.
    public var stream: String
    /// Where the first read begins.
    public var start = StreamStart.tail
    /// The most entries in one read.
    public var readCount = 128
    /// How long a read waits for entries where there are none; cut to whole milliseconds on the wire.
    public var readBlock = Duration.seconds(5)

    /// The read counts that are accepted: a reply of the largest still fits the reader's limits.
    static let readCounts = 1...100_000
    /// The shortest block: less would be 0 on the wire, which means "for ever".
    static let minimumBlock = Duration.milliseconds(1)

    /// Reads a stream from its tail.
    public init(stream: String) {
        self.stream = stream
    }

    /// How the settings are read.
    public static let type = SettingType<RedisStreamSettings>.object(
        SettingsSchema(
            RedisStreamSettings(stream: ""),
            [
                .required("stream", \.stream, .nonBlankText, "The stream's key."),
                .optional(
                    "start", \.start, .streamStart, default: "tail",
                    "Where the first read begins: tail, beginning, behind an entry id, or a time back (-15m)."),
                .optional(
                    "read_count", \.readCount, .integer(Self.readCounts), default: "128",
                    "The most entries in one read."),
                .optional(
                    "read_block", \.readBlock, .duration(minimum: Self.minimumBlock), default: "5s",
                    "How long a read waits where there are no entries."),
            ]))
}
