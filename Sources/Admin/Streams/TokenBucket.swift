import StageKit

/// Limits a rate per second: it starts with one second's worth and never holds more.
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

    /// Takes tokens, possibly more than there are: the debt is paid with time.
    package mutating func take(_ count: Int) { self.tokens -= Double(count) }
}
