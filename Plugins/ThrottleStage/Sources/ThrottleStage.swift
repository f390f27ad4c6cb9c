public import StageKit

/// Lets so many events through in a time and skips the others; it never waits.
///
/// The time is that of the entries' ids: a backlog is worked off at full speed, and a replay lets the same events through.
public final class ThrottleStage: Stage {
    /// Name, settings and documentation.
    public static let declaration = StageDeclaration(
        name: "throttle",
        summary: "Lets so many events through in a time, overall or for each value of fields, and skips the others.",
        settings: .object(Settings.schema),
        example: """
            throttle: { rate: 5/m, burst: 10, by: region }
            """,
        failureReason: "throttle_failure", remembers: true)

    private let fields: [FieldID]
    private let reason: ReasonID
    private let limiter: RateLimiter
    private var time = StreamTime()
    /// When the next event without a key is expected.
    private var expected: UInt64 = 0
    /// The same by key.
    private var keys: RecentKeys<UInt64>

    /// Makes the stage; it reads the fields that have a rate of their own.
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
