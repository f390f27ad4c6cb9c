/// The generic cell rate algorithm (ITU-T I.371, annex A): a bucket of tokens kept as one number, the time at which the
/// next event would come if all came evenly.
struct RateLimiter {
    /// Nanoseconds from one event to the next.
    let interval: UInt64
    /// Nanoseconds that events may come ahead of their time: what the burst is worth.
    let tolerance: UInt64

    /// Makes a limiter that lets `burst` events through at once.
    init(interval: UInt64, burst: Int) {
        self.interval = interval
        self.tolerance = interval * UInt64(burst - 1)
    }

    /// Whether an event at `now` is within the rate; `expected` moves on then.
    func admits(at now: UInt64, _ expected: inout UInt64) -> Bool {
        if expected > now, expected - now > self.tolerance { return false }
        expected = max(expected, now) + self.interval
        return true
    }
}

/// The time of a stream as its entries' ids tell it; it never goes back.
struct StreamTime {
    /// Later ids count as this one (in the year 2262), so that the arithmetic of nanoseconds cannot overflow.
    static let millisecondLimit = UInt64(Int64.max) / 1_000_000

    /// Nanoseconds since the epoch.
    private(set) var nanoseconds: UInt64 = 0

    /// Goes on to an entry's time.
    mutating func advance(to milliseconds: UInt64) {
        self.nanoseconds = max(self.nanoseconds, min(milliseconds, StreamTime.millisecondLimit) * 1_000_000)
    }
}
