/// Delays between attempts: doubling up to a cap, with jitter, so that many workers do not retry at the same time.
package struct Backoff: Sendable {
    /// The default upper bound of the first delay: a server that restarts is back soon.
    package static let first = Duration.milliseconds(50)
    /// The default longest delay: a server that is back is noticed within this time.
    package static let cap = Duration.seconds(5)

    private let first: Duration
    private let cap: Duration
    private var step: Duration

    /// Starts with the first wait.
    package init(first: Duration = Backoff.first, cap: Duration = Backoff.cap) {
        self.first = first
        self.cap = cap
        self.step = min(first, cap)
    }

    /// The next wait: between half of the step and the whole of it.
    package mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let step = self.step
        self.step = min(step * 2, self.cap)
        let part = Double(generator.next() >> 32) / Double(UInt32.max)
        return step / 2 + (step / 2) * part
    }

    /// The next wait, with the system's random numbers.
    package mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return self.next(using: &generator)
    }

    /// Starts again after a success.
    package mutating func reset() {
        self.step = min(self.first, self.cap)
    }
}
