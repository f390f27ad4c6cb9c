import Synchronization

/// Admits requests that can wait one at a time while the stream is short of a processor, and immediately otherwise.
///
/// Lookups, probes and the revocation feed do not use it, because gateways depend on them. Exports, dashboards, taps,
/// metrics and explanations do: each of them costs a thousand times as much as a lookup.
final class TurnLine: Sendable {
    /// Decides when a request is admitted. Pure.
    struct Turns: Sendable {
        /// The time between two admissions; at a few milliseconds per request, this is about a hundredth of a core.
        static let interval = Duration.milliseconds(200)
        /// The maximum wait, which is within the usual timeout of a scraper. A request that would wait longer is
        /// refused.
        static let longestWait = Duration.seconds(5)

        private var next: ContinuousClock.Instant?

        /// Returns how long to wait, or `nil` if the line is full. Reserves the turn.
        mutating func wait(now: ContinuousClock.Instant) -> Duration? {
            let turn = max(now, self.next ?? now)
            guard turn - now <= Self.longestWait else { return nil }
            self.next = turn + Self.interval
            return turn - now
        }
    }

    private let isHolding = Atomic<Bool>(false)
    private let turns = Mutex(Turns())

    /// Sets whether requests wait for their turns.
    func setHolding(_ isHolding: Bool) {
        self.isHolding.store(isHolding, ordering: .relaxed)
    }

    /// Waits for a turn; throws if the line is full or if the task is cancelled.
    func waitForTurn() async throws {
        guard self.isHolding.load(ordering: .relaxed) else { return }
        guard let wait = self.turns.withLock({ $0.wait(now: .now) }) else {
            throw AdminFailure.unavailable(
                "busy", "the worker is catching up with the stream: try again later, or look up single keys")
        }
        if wait > .zero { try await Task.sleep(for: wait) }
    }

    /// Whether periodic work, such as a dashboard's next document, may run now; takes the turn if so.
    var mayGoOn: Bool {
        guard self.isHolding.load(ordering: .relaxed) else { return true }
        return self.turns.withLock { turns in
            var taken = turns
            guard taken.wait(now: .now) == .zero else { return false }
            turns = taken
            return true
        }
    }
}
