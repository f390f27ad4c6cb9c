public import StageKit

/// Rate-limits events and skips the excess; it never waits.
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

    private let fields: [FieldID]
    private let reason: ReasonID
    private let limiter: RateLimiter
    private var time = StreamTime()
    /// The time at which the next event without a key is expected.
    private var expected: UInt64 = 0
    /// The same by key.
    private var keys: RecentKeys<UInt64>

    /// Creates the stage; it reads the fields of `by`.
    public init(_ settings: Settings, _ setup: StageSetup) {
        setup.issues.context += ": by"
        self.fields = settings.by.map { setup.input($0) }
        self.reason = setup.reason("throttled")
        self.limiter = RateLimiter(interval: settings.rate.interval, burst: settings.burst ?? settings.rate.count)
        self.keys = RecentKeys(limit: settings.keys)
    }

    /// Skips an event that is beyond the rate.
    public func process(_ event: inout Event) throws -> Verdict {
        self.time.advance(to: event.id.milliseconds)
        let isAdmitted =
            if let key = event.key(of: self.fields) {
                self.admits(key)
            } else {
                self.limiter.admits(at: self.time.nanoseconds, &self.expected)
            }
        return isAdmitted ? .next : .finish(.skipped, self.reason)
    }

    private func admits(_ key: EventKey) -> Bool {
        if let index = self.keys.index(of: key) {
            return self.limiter.admits(at: self.time.nanoseconds, &self.keys[index])
        }
        var expected: UInt64 = 0
        let isAdmitted = self.limiter.admits(at: self.time.nanoseconds, &expected)
        self.keys.insert(key, expected)
        return isAdmitted
    }
}
