public import StageKit

/// What a `redis_stream` source reads and how.
public struct RedisStreamSettings: Sendable, Equatable {
    /// The stream's key.
    public var stream: String
    /// Where the first read begins.
    public var start = StreamStart.tail
    /// The group whose workers share the entries; nil where this worker gets them all.
    public var group: GroupSettings?
    /// How the stores are filled before the stream is followed.
    public var bootstrap = Bootstrap.none
    /// What to do where entries were lost.
    public var onGap = GapPolicy.failClosed
    /// How often the stream is looked at for entries that were lost, while it is read.
    public var checkInterval = Duration.seconds(1)
    /// How old the last news may be before look-ups are refused; nil for any age.
    public var maxStaleness: Duration?
    /// The most entries in one read.
    public var readCount = 128
    /// How long a read waits for entries where there are none; cut to whole milliseconds on the wire.
    public var readBlock = Duration.seconds(5)
    /// What a read has on top of its block before the connection counts as dead.
    public var readMargin = Duration.seconds(2)
    /// How a lost connection is taken up again.
    public var reconnect = ReconnectSettings()

    /// The read counts that are accepted: a reply of the largest still fits the reader's limits.
    static let readCounts = 1...100_000
    /// The shortest block: less would be 0 on the wire, which means "for ever".
    static let minimumBlock = Duration.milliseconds(1)
    /// The shortest margin: the server ends a block up to 100 ms late (hz 10), and a network needs a while.
    static let minimumMargin = Duration.milliseconds(200)
    /// The shortest time between two looks at the stream: each is a command more.
    static let minimumCheckInterval = Duration.milliseconds(10)

    /// Reads a stream from its tail.
    public init(stream: String) {
        self.stream = stream
    }

    /// What a follower goes by.
    var policy: FollowPolicy {
        FollowPolicy(start: self.start, bootstrap: self.bootstrap, onGap: self.onGap)
    }

    private static let schema = SettingsSchema(
        RedisStreamSettings(stream: ""),
        [
            .required("stream", \.stream, .nonBlankText, "The stream's key."),
            .optional(
                "start", \.start, .streamStart, default: "tail",
                "Where the first read begins: tail, beginning, resume (at the checkpoint), behind an entry id, or a "
                    + "time back (-15m)."),
            .optional(
                "group", \.group, GroupSettings.type,
                "The consumer group whose workers share the entries: its name, or a mapping; without it, this worker gets "
                    + "all of them."),
            .optional(
                "bootstrap", \.bootstrap, .bootstrap, default: "none",
                "How the stores are filled first: none, stream (all it holds), or keys."),
            .optional(
                "on_gap", \.onGap, .choice(of: GapPolicy.allCases.map { ($0.rawValue, $0) }),
                default: "fail_closed",
                "What to do where entries were lost unread: empty the stores and fill them again (fail_closed), fill "
                    + "them again while look-ups go on (resync), go on (continue), or end (halt)."),
            .optional(
                "check_interval", \.checkInterval, .duration(minimum: Self.minimumCheckInterval), default: "1s",
                "How often the stream is looked at for lost entries while it is read."),
            .optional(
                "max_staleness", \.maxStaleness, .limit(minimum: .milliseconds(10)),
                "How old the last proof that the stores are up to date may be before look-ups are refused."),
            .optional(
                "read_count", \.readCount, .integer(Self.readCounts), default: "128",
                "The most entries in one read."),
            .optional(
                "read_block", \.readBlock, .duration(minimum: Self.minimumBlock), default: "5s",
                "How long a read waits where there are no entries."),
            .optional(
                "read_margin", \.readMargin, .duration(minimum: Self.minimumMargin), default: "2s",
                "How much longer than read_block a reply may take before the connection counts as dead."),
            .optional(
                "reconnect", \.reconnect, ReconnectSettings.type,
                "How a lost connection is taken up again."),
        ])

    /// How the settings are read.
    public static let type = SettingType<RedisStreamSettings>(shape: .object(Self.schema.descriptions)) {
        node, issues in
        guard var settings = Self.schema.decode(node, &issues) else { return nil }
        let before = issues.all.count
        settings.checkGroup(node, &issues)
        if let limit = settings.maxStaleness, settings.readBlock >= limit {
            issues.add(
                "read_block \(SettingUnits.text(settings.readBlock)) must be shorter than max_staleness "
                    + "\(SettingUnits.text(limit)): the end of a block is what proves that a silent stream is alive",
                at: (node["max_staleness"] ?? node).mark)
        }
        if settings.bootstrap != .none, settings.start != .tail, settings.start != .resume {
            issues.add(
                "start and bootstrap both say where to begin: leave start out, or set it to resume",
                at: (node["start"] ?? node).mark)
        }
        return issues.all.count == before ? settings : nil
    }
}

/// How a lost connection is taken up again.
public struct ReconnectSettings: Sendable, Equatable {
    /// How many attempts in a row may fail before the run ends; nil for any number.
    public var attempts: Int?
    /// The first wait.
    public var firstDelay = Backoff.first
    /// The longest wait; it doubles up to there.
    public var maximumDelay = Backoff.cap

    /// For ever, from 50 ms up to 5 s.
    public init() {}

    private static let schema = SettingsSchema(
        ReconnectSettings(),
        [
            .optional(
                "attempts", \.attempts, .givenInteger(1...Int.max),
                "How many attempts in a row may fail before the run ends; without it, any number."),
            .optional(
                "first_delay", \.firstDelay, .duration(minimum: .milliseconds(1)), default: "50ms", "The first wait."),
            .optional(
                "max_delay", \.maximumDelay, .duration(minimum: .milliseconds(1)), default: "5s",
                "The longest wait; waits double up to there, each shortened by chance to a half at most."),
        ])

    /// How they are read.
    static let type = SettingType<ReconnectSettings>.object(Self.schema)
}

extension SettingType where Value == Int? {
    /// A whole number in a range, or nothing.
    static func givenInteger(_ range: ClosedRange<Int>) -> SettingType<Int?> {
        .optional(SettingType<Int>.integer(range))
    }
}

extension SettingType where Value == Duration? {
    /// A time, or nothing.
    static func limit(minimum: Duration) -> SettingType<Duration?> {
        .optional(SettingType<Duration>.duration(minimum: minimum))
    }
}
