import ComponentKit
import RedisClient
public import StageKit

/// The settings of a `redis_stream` source.
public struct RedisStreamSettings: Sendable, Equatable {
    /// The stream's key. With `partitions`, the pattern of the keys, in which `{n}` is the partition number.
    public var stream: String
    /// The keys of several streams that are read in parallel, or `nil` if `stream` is used.
    public var streams: [String]?
    /// The number of partitions, or `nil` if `stream` is not a pattern.
    public var partitions: Int?
    /// The start of the first read.
    public var start = StreamStart.tail
    /// The consumer group whose workers share the entries, or `nil` if this worker reads all of them.
    public var group: GroupSettings?
    /// How the stores are filled before the stream is read.
    public var bootstrap = Bootstrap.none
    /// The reaction to a gap.
    public var onGap = GapPolicy.failClosed
    /// The interval between checks for lost entries while the stream is read.
    public var checkInterval = Duration.seconds(1)
    /// The maximum staleness as written in the file; see `maxStaleness`.
    public var stalenessLimit = StalenessLimit.standard
    /// The maximum number of entries per read.
    public var readCount = 128
    /// The maximum number of entries per read while the reader lags behind, at least `readCount`; `nil` for
    /// `readCount`.
    public var catchUpCount: Int?
    /// How long a read waits if there are no entries; sent in whole milliseconds.
    public var readBlock = Duration.seconds(5)
    /// How much longer than `readBlock` the server may be silent before the connection counts as dead.
    public var readMargin = Duration.seconds(2)
    /// The reaction to an entry with a value above the size limit.
    public var onOversized = OversizedPolicy.fail
    /// The retries after a lost connection.
    public var reconnect = ReconnectSettings()

    /// The accepted values of `read_count`. A reply with the largest count still fits the parser's limits.
    static let readCounts = 1...100_000
    /// The minimum of `read_block`. Anything shorter would be sent as 0, which means "forever".
    static let minimumBlock = Duration.milliseconds(1)
    /// The minimum of `read_margin`: the server ends a block up to 100 ms late (hz 10), and the network needs time too.
    static let minimumMargin = Duration.milliseconds(200)
    /// The minimum interval between checks of the stream: each check costs a command.
    static let minimumCheckInterval = Duration.milliseconds(10)

    /// Creates the settings to read a stream from its tail.
    public init(stream: String) {
        self.stream = stream
    }

    /// The maximum time since freshness was last confirmed before lookups are refused, or `nil` for no limit.
    ///
    /// Always `nil` for a worker in a consumer group, because such a worker cannot confirm freshness.
    public var maxStaleness: Duration? {
        get {
            if self.group != nil { return nil }
            switch self.stalenessLimit {
            case .standard:
                return StalenessLimit.standard(readBlock: self.readBlock, readMargin: self.readMargin)
            case .off: return nil
            case .after(let limit): return limit
            }
        }
        set { self.stalenessLimit = newValue.map { .after($0) } ?? .off }
    }

    /// The maximum number of streams of one source: each uses a connection.
    static let streamLimit = 256
    /// The placeholder for the partition number in a pattern. The braces remain in the key, so that the number alone
    /// determines the cluster slot.
    static let placeholder = "{n}"

    /// The keys of all streams.
    package var keys: [String] {
        if let streams = self.streams { return streams }
        guard let partitions = self.partitions else { return [self.stream] }
        return (0..<partitions).map { self.stream.replacing(Self.placeholder, with: "{\($0)}") }
    }

    /// The name of all streams together.
    var name: String { self.streams?.joined(separator: ",") ?? self.stream }

    /// How long a server may be silent before a blocking read has failed.
    var readTimeout: ReplyTimeout {
        ReplyTimeout(duration: self.readBlock + self.readMargin, setting: .read)
    }

    /// Returns how long a server may be silent before a non-blocking command that returns entries has failed. The
    /// answer may be large, so the time is at least `readMargin`.
    func entriesTimeout(_ redis: RedisSettings) -> ReplyTimeout {
        self.readMargin > redis.timeout
            ? ReplyTimeout(duration: self.readMargin, setting: .entries) : .command(redis.timeout)
    }

    /// The follower's policy.
    var policy: FollowPolicy {
        FollowPolicy(start: self.start, bootstrap: self.bootstrap, onGap: self.onGap)
    }

    private static let schema = SettingsSchema(
        RedisStreamSettings(stream: ""),
        [
            .optional(
                "stream", \.stream, .nonBlankText,
                "Key of the stream, or with partitions the pattern of their keys."),
            .optional(
                "streams", \.streams, .optional(.list(of: .nonBlankText, minimum: 1)),
                "Keys of several streams that are read concurrently, each in order."),
            .optional(
                "partitions", \.partitions, .givenInteger(1...Self.streamLimit),
                "Number of streams that the pattern in stream names: {n} is replaced by {0}, {1} and so on."),
            .optional(
                "start", \.start, .streamStart, default: "tail",
                "Start of the first read: tail, beginning, resume (at the checkpoint), after an entry id, or a "
                    + "time back (-15m)."),
            .optional(
                "group", \.group, GroupSettings.type,
                "Consumer group whose workers share the entries: its name, or a mapping; without it, this worker reads "
                    + "all of them."),
            .optional(
                "bootstrap", \.bootstrap, .bootstrap, default: "none",
                "How stores are filled at start: none, stream (all entries that it holds), or keys."),
            .optional(
                "on_gap", \.onGap, .choice(of: GapPolicy.allCases.map { ($0.rawValue, $0) }),
                default: "fail_closed",
                "Reaction to entries lost before they were read: empty the stores and refill them (fail_closed), "
                    + "refill them while lookups continue (resync), only report it (continue), or stop the worker "
                    + "(halt)."),
            .optional(
                "check_interval", \.checkInterval, .duration(minimum: Self.minimumCheckInterval), default: "1s",
                "Interval of the checks for lost entries."),
            .optional(
                "max_staleness", \.stalenessLimit, .stalenessLimit,
                default: "30s, or twice read_block + read_margin if that is longer",
                "Maximum age of the last confirmation that the stores are up to date; beyond it, lookups are "
                    + "refused. An idle stream confirms it at the end of each read_block. off: lookups are never "
                    + "refused."),
            .optional(
                "read_count", \.readCount, .integer(Self.readCounts), default: "128",
                "Maximum number of entries per read."),
            .optional(
                "catch_up_count", \.catchUpCount, .givenInteger(Self.readCounts), default: "read_count",
                "Maximum number of entries per read while the reader is behind; large replies cost less per entry."),
            .optional(
                "read_block", \.readBlock, .duration(minimum: Self.minimumBlock), default: "5s",
                "Maximum wait of a read if there are no entries."),
            .optional(
                "read_margin", \.readMargin, .duration(minimum: Self.minimumMargin), default: "2s",
                "Silence of the server beyond read_block after which the connection is considered dead."),
            .optional(
                "on_oversized", \.onOversized, .choice(of: OversizedPolicy.allCases.map { ($0.rawValue, $0) }),
                default: "fail",
                "Reaction to an entry with a value of more than 64 MiB: fail it without that value, so that "
                    + "on_failure of the source, or else of the first stage, handles it (fail), or stop the worker (halt)."
            ),
            .optional(
                "reconnect", \.reconnect, ReconnectSettings.type,
                "How a lost connection is reopened."),
        ], alternatives: [.exactlyOne("stream", "streams")])

    /// The setting type of the source.
    public static let type = SettingType<RedisStreamSettings>(shape: .object(Self.schema.descriptions)) {
        node, issues in
        guard var settings = Self.schema.decode(node, &issues) else { return nil }
        let before = issues.all.count
        settings.checkGroup(node, &issues)
        Self.checkStreams(settings, node, &issues)
        if let limit = settings.maxStaleness, settings.readBlock >= limit {
            issues.add(
                "read_block \(SettingUnits.text(settings.readBlock)) must be shorter than max_staleness "
                    + "\(SettingUnits.text(limit)): the end of each block confirms that an idle stream is up to date",
                at: (node["max_staleness"] ?? node).position)
        }
        if settings.bootstrap != .none, settings.start != .tail, settings.start != .resume {
            issues.add(
                "start and bootstrap both choose where to begin: remove start, or set it to resume",
                at: (node["start"] ?? node).position)
        }
        return issues.all.count == before ? settings : nil
    }
}

extension RedisStreamSettings {
    /// Adds errors in the names of the streams, and in settings that several streams do not support.
    private static func checkStreams(
        _ settings: RedisStreamSettings, _ node: SettingNode, _ issues: inout SettingIssues
    ) {
        func position(_ name: String) -> SettingPosition { (node[name] ?? node).position }
        let hasPlaceholder = settings.stream.contains(Self.placeholder)
        switch (node["stream"], settings.streams) {
        case (nil, nil): issues.add("missing setting \"stream\" (or streams)", at: node.position)
        case (_?, _?): issues.add("stream and streams are both given: keep one of them", at: position("streams"))
        case (_, let streams?):
            if settings.partitions != nil { issues.add("partitions requires stream", at: position("partitions")) }
            if Set(streams).count < streams.count { issues.add("a stream is listed twice", at: position("streams")) }
            if streams.count > Self.streamLimit {
                issues.add(
                    "too many streams: \(streams.count), the maximum is \(Self.streamLimit)", at: position("streams"))
            }
        default:
            if settings.partitions != nil, !hasPlaceholder {
                issues.add("stream must contain {n} for the number of the partition", at: position("stream"))
            }
        }
        guard settings.keys.count > 1 else { return }
        if settings.group != nil {
            issues.add("a group reads one stream: run one worker per stream", at: position("group"))
        }
        if case .keys = settings.bootstrap {
            issues.add("bootstrap: keys supports one stream: choose none or stream", at: position("bootstrap"))
        }
        if settings.onGap == .resync {
            issues.add(
                "resync supports one stream: choose another on_gap", at: position("on_gap"))
        }
    }
}

/// The retries after a lost connection.
public struct ReconnectSettings: Sendable, Equatable {
    /// The number of consecutive failed attempts before the run ends, or `nil` for no limit.
    public var attempts: Int?
    /// The first delay.
    public var firstDelay = Backoff.first
    /// The longest delay. The delay doubles up to this value.
    public var maximumDelay = Backoff.cap

    /// Creates settings that retry forever, with delays from 50 ms to 5 s.
    public init() {}

    private static let schema = SettingsSchema(
        ReconnectSettings(),
        [
            .optional(
                "attempts", \.attempts, .givenInteger(1...Int.max),
                "Number of consecutive failed attempts after which the run ends; without it, unlimited."),
            .optional(
                "first_delay", \.firstDelay, .duration(minimum: .milliseconds(1)), default: "50ms", "The first wait."),
            .optional(
                "max_delay", \.maximumDelay, .duration(minimum: .milliseconds(1)), default: "5s",
                "Maximum wait; waits double up to it, each shortened randomly by up to half."),
        ])

    /// The setting type of the mapping.
    static let type = SettingType<ReconnectSettings>.object(Self.schema)
}

extension SettingType where Value == Int? {
    /// An optional integer within a range.
    static func givenInteger(_ range: ClosedRange<Int>) -> SettingType<Int?> {
        .optional(SettingType<Int>.integer(range))
    }
}

extension SettingType where Value == Duration? {
    /// An optional duration.
    static func limit(minimum: Duration) -> SettingType<Duration?> {
        .optional(SettingType<Duration>.duration(minimum: minimum))
    }
}
