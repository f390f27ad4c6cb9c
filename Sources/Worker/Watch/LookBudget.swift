/// How many events are looked at for those who watch: more would take from the stream what a look costs.
struct LookBudget {
    /// Events a second, for all watches together. A look takes about half a microsecond, so they have an eightieth of the
    /// stream's thread; what is left over of a second is there for the next.
    static let perSecond = 25_000

    private var left = Double(Self.perSecond)
    private var last: ContinuousClock.Instant?

    /// Takes the looks at a batch, all or none; a batch of more than a second's is looked at where nothing was before.
    mutating func take(_ count: Int, at now: ContinuousClock.Instant) -> Bool {
        let limit = Double(Self.perSecond)
        if let last = self.last { self.left = min(limit, self.left + (now - last) / .seconds(1) * limit) }
        self.last = now
        guard self.left >= min(Double(count), limit) else { return false }
        self.left -= Double(count)
        return true
    }
}
