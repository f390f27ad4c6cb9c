public import StageKit

/// The settings under `file`.
public struct FileSettings: Sendable {
    /// Where to begin.
    public enum Start: Sendable {
        /// At the first line.
        case beginning
        /// Behind the last line.
        case end
        /// Behind the last line of the checkpoint.
        case resume
    }

    /// The file, or `-` for standard input.
    public var path = LocatedName.unread
    /// The field of the event that gets the line.
    public var field = "line"
    /// Where to begin.
    public var start = Start.beginning
    /// Whether to wait for more lines at the end of the file.
    public var follow = false
    /// The maximum number of lines per batch.
    public var readCount = 128
    /// The maximum length of a line, in bytes.
    public var maxLine = 1 << 20
    /// The age of the last look at the end of the file above which lookups are refused.
    public var maxStaleness = Duration.seconds(60)

    /// The settings' names and types in the file.
    static let type = SettingType<FileSettings>.object(
        SettingsSchema(
            FileSettings(),
            [
                .required("path", \.path, .name, "The file or FIFO, or - for standard input."),
                .optional("field", \.field, .nonBlankText, default: "line", "The entry's field that gets the line."),
                .optional(
                    "start", \.start,
                    .choice(of: [("beginning", .beginning), ("end", .end), ("resume", .resume)]), default: "beginning",
                    "Where to begin: at the first line, behind the last one, or behind the last one of the checkpoint."),
                .optional(
                    "follow", \.follow, .boolean, default: "false",
                    "Whether to wait for more lines at the end of the file, and for a new file if it is rotated."),
                .optional(
                    "read_count", \.readCount, .integer(1...100_000), default: "128",
                    "Maximum number of lines per batch."),
                .optional(
                    "max_line", \.maxLine, .byteSize(1...(64 << 20)), default: "1MiB",
                    "Maximum length of a line; a longer one fails with the reason line_too_long."),
                .optional(
                    "max_staleness", \.maxStaleness, .duration(minimum: .seconds(1)), default: "1m",
                    "Lookups are refused if the end of the file was last seen longer ago."),
            ]))
}
