import StageKit

/// Limits a rate per second: it starts with one second's worth and never holds more.
package struct TokenBucket: Sendable {
    private let perSecond: Double
    private var tokens: Double
    private var refilled: ContinuousClock.Instant?

    /// Creates a full bucket.
    package init(perSecond: Int) {
        self.perSecond = Double(perSecond)
        self.tokens = self.perSecond
    }

    /// Refills the bucket and returns its content; `now` must not be before that of the last call.
    package mutating func refill(at now: ContinuousClock.Instant) -> Double {
        let passed = self.refilled.map { now - $0 } ?? .zero
        self.refilled = now
        self.tokens = min(self.perSecond, self.tokens + passed.seconds * self.perSecond)
        return self.tokens
    }

    /// Takes tokens, possibly more than available; the balance may become negative.
    package mutating func take(_ count: Int) { self.tokens -= Double(count) }
}
