import Admin

/// Limits the number of events that are examined for taps and the dashboard, because examining them takes time from the
/// stream.
struct LookBudget {
    /// Events per second, for all watchers together. Examining one takes about half a microsecond, so this is half a
    /// percent of the stream's thread; the rest of a second's budget carries over to the next.
    static let perSecond = 10_000

    private var bucket = TokenBucket(perSecond: Self.perSecond)

    /// Takes the budget for a batch, all or none. A batch larger than a second's budget is examined if the budget is
    /// unused.
    mutating func take(_ count: Int, at now: ContinuousClock.Instant) -> Bool {
        guard self.bucket.refill(at: now) >= Double(min(count, Self.perSecond)) else { return false }
        self.bucket.take(count)
        return true
    }
}
