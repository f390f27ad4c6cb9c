import StageKit

/// Bounds how many a second: a second's worth at first, and never more than that at once.
package struct TokenBucket: Sendable {
    private let perSecond: Double
    private var tokens: Double
    private var refilled: ContinuousClock.Instant?

    /// A full bucket.
    package init(perSecond: Int) {
        self.perSecond = Double(perSecond)
        self.tokens = self.perSecond
    }

    /// What there is at a moment that is not before the last one.
    package mutating func refill(at now: ContinuousClock.Instant) -> Double {
        let passed = self.refilled.map { now - $0 } ?? .zero
        self.refilled = now
        self.tokens = min(self.perSecond, self.tokens + passed.seconds * self.perSecond)
        return self.tokens
    }

    /// Takes some, more than there are too: what is owed is paid with time.
    package mutating func take(_ count: Int) { self.tokens -= Double(count) }
}
