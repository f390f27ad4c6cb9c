/// Delays between attempts: doubling up to a cap, with jitter, so that many workers do not retry at the same time.
public struct Backoff: Sendable {
    /// The default upper bound of the first delay, short because a restarting server is soon available again.
    public static let first = Duration.milliseconds(50)
    /// The default longest delay, within which the return of a server is noticed.
    public static let cap = Duration.seconds(5)

    private let first: Duration
    private let cap: Duration
    private var step: Duration

    /// Creates a backoff that starts with the first delay.
    public init(first: Duration = Backoff.first, cap: Duration = Backoff.cap) {
        self.first = first
        self.cap = cap
        self.step = min(first, cap)
    }

    /// Returns the next delay: between half of the step and the whole step.
    public mutating func next(using generator: inout some RandomNumberGenerator) -> Duration {
        let step = self.step
        self.step = min(step * 2, self.cap)
        let part = Double(generator.next() >> 32) / Double(UInt32.max)
        return step / 2 + (step / 2) * part
    }

    /// Returns the next delay, using the system's random number generator.
    public mutating func next() -> Duration {
        var generator = SystemRandomNumberGenerator()
        return self.next(using: &generator)
    }

    /// Starts again with the first delay, after a success.
    public mutating func reset() {
        self.step = min(self.first, self.cap)
    }
}
