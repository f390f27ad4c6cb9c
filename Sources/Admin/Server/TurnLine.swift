import Synchronization

/// Lets requests that can wait through one at a time while the stream is short of a processor, and at once otherwise.
///
/// Lookups, probes and the revocation feed never come here: gateways live on them. What comes here are exports, dashboards,
/// taps, metrics and explanations: each costs a thousand times as much as a lookup.
final class TurnLine: Sendable {
    /// Decides when a request has its turn. Pure.
    struct Turns: Sendable {
        /// The time between two turns: at some milliseconds a piece of work, about a hundredth of a core.
        static let interval = Duration.milliseconds(200)
        /// The longest wait for a turn: what a scraper allows for. Whoever would wait longer is told to come again.
        static let longestWait = Duration.seconds(5)

        private var next: ContinuousClock.Instant?

        /// Returns how long to wait for the next turn, or `nil` if the line is full; the turn is taken.
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

    /// Waits for a turn; throws if too many wait, and if the task is cancelled.
    func waitForTurn() async throws {
        guard self.isHolding.load(ordering: .relaxed) else { return }
        guard let wait = self.turns.withLock({ $0.wait(now: .now) }) else {
            throw AdminFailure.unavailable(
                "busy", "the stream is behind and comes first: try again later, or look up single sessions")
        }
        if wait > .zero { try await Task.sleep(for: wait) }
    }

    /// Whether something that comes again by itself, such as a dashboard's next document, may be done now.
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
