public import StageKit

/// Rate-limits events and skips the excess. It never waits.
///
/// Time is that of the entries' ids: a backlog is processed at full speed, and a replay keeps the same events.
public final class ThrottleStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "throttle",
        summary: "Rate-limits events, overall or per value of fields, and skips the excess.",
        settings: .object(Settings.schema),
        example: """
            throttle: { rate: 5/m, burst: 10, by: region }
            """,
        failureReason: "throttle_failure", remembers: true)

    /// The time of a stream, and the time at which its next event without a key is expected.
    private struct StreamState {
        var time = StreamTime()
        var expected: UInt64 = 0
    }

    private let key: EventKeyParts
    private let reason: ReasonID
    private let limiter: RateLimiter
    /// The state of each stream, by its number: ids of two streams cannot be compared.
    private var streams: [StreamState] = []
    /// The time at which the next event is expected, by key.
    private var keys: RecentKeys<UInt64>

    /// Creates the stage; it reads the fields and expressions of `by`.
    public init(_ settings: Settings, _ setup: StageSetup) {
        setup.issues.context += ": by"
        self.key = EventKeyParts(settings.by, setup)
        self.reason = setup.reason("throttled")
        self.limiter = RateLimiter(interval: settings.rate.interval, burst: settings.burst ?? settings.rate.count)
        self.keys = RecentKeys(limit: settings.keys)
    }

    /// Skips an event that exceeds the rate.
    ///
    /// - Throws: The error of an expression.
    public func process(_ event: inout Event) throws -> Verdict {
        let stream = event.streamIndex
        while self.streams.count <= stream { self.streams.append(StreamState()) }
        self.streams[stream].time.advance(to: event.id.milliseconds)
        let now = self.streams[stream].time.nanoseconds
        let isAdmitted =
            if let key = try self.key.key(of: event) {
                self.admits(key, at: now)
            } else {
                self.limiter.admits(at: now, &self.streams[stream].expected)
            }
        return isAdmitted ? .next : .finish(.skipped, self.reason)
    }

    private func admits(_ key: EventKey, at now: UInt64) -> Bool {
        if let index = self.keys.index(of: key) {
            return self.limiter.admits(at: now, &self.keys[index])
        }
        var expected: UInt64 = 0
        let isAdmitted = self.limiter.admits(at: now, &expected)
        self.keys.insert(key, expected)
        return isAdmitted
    }
}
