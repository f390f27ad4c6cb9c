/// The generic cell rate algorithm (ITU-T I.371, annex A): a token bucket represented by one number, the time at which
/// the next event would arrive if all events arrived evenly.
struct RateLimiter {
    /// The time between two events, in nanoseconds.
    let interval: UInt64
    /// How early events may arrive, in nanoseconds; this allows the burst.
    let tolerance: UInt64

    /// Creates a limiter that admits `burst` events at the same time.
    init(interval: UInt64, burst: Int) {
        self.interval = interval
        self.tolerance = interval * UInt64(burst - 1)
    }

    /// Returns whether an event at `now` is within the rate, and advances `expected` if it is.
    func admits(at now: UInt64, _ expected: inout UInt64) -> Bool {
        if expected > now, expected - now > self.tolerance { return false }
        expected = max(expected, now) + self.interval
        return true
    }
}

/// The time of a stream according to its entries' ids; it never goes back.
struct StreamTime {
    /// The maximum time (in the year 2262), to which later ids are reduced so that arithmetic in nanoseconds cannot
    /// overflow.
    static let millisecondLimit = UInt64(Int64.max) / 1_000_000

    /// The time in nanoseconds since the epoch.
    private(set) var nanoseconds: UInt64 = 0

    /// Advances to an entry's time.
    mutating func advance(to milliseconds: UInt64) {
        self.nanoseconds = max(self.nanoseconds, min(milliseconds, StreamTime.millisecondLimit) * 1_000_000)
    }
}
