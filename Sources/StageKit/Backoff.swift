/// How long to wait before trying again: doubling up to a cap, with jitter, so that many workers do not come at once.
package struct Backoff: Sendable {
    /// The first wait at most, where nothing else is given: a server that restarts is back soon.
    package static let first = Duration.milliseconds(50)
    /// The longest wait, where nothing else is given: nobody looks longer than that at a server that is back.
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

    /// Begins anew after something worked.
    package mutating func reset() {
        self.step = min(self.first, self.cap)
    }
}
