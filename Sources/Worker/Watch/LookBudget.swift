import Admin

/// How many events are looked at for those who watch: more would take from the stream what a look costs.
struct LookBudget {
    /// Events a second, for all watches together. A look takes about half a microsecond, so they have half a hundredth of
    /// the stream's thread; what is left over of a second is there for the next.
    static let perSecond = 10_000

    private var bucket = TokenBucket(perSecond: Self.perSecond)

    /// Takes the looks at a batch, all or none; a batch of more than a second's is looked at where nothing was before.
    mutating func take(_ count: Int, at now: ContinuousClock.Instant) -> Bool {
        guard self.bucket.refill(at: now) >= Double(min(count, Self.perSecond)) else { return false }
        self.bucket.take(count)
        return true
    }
}
