import Synchronization

/// Reports that a run makes progress, so that a wait can be told from a hang.
///
/// The service watchdog and `/livez` take a run for hung if it reports nothing for too long while a batch is in flight. So
/// everything that waits within a batch reports here: a stage in `complete` and `endBatch`, a store, a publisher, a
/// revocation handler. There are two kinds of report:
/// - `pulse()` for each step: an answer, an acknowledgement, the begin of an attempt.
/// - `waiting(atMost:_:)` around a wait that has a known bound, such as a request with a timeout or the delay before the next
///   attempt. Silence up to the bound is no hang, however long it is; silence beyond it is.
///
/// The engine reports by itself: each batch that it takes and finishes, each stage that returns, each event that a stage
/// touches or decides in `complete` (`WaitingEvents`), and the delays of `on_failure: retry`. A stage that awaits one event
/// after another therefore needs no report unless a single wait can be longer than the watchdog's time.
///
/// Thread-safe. A report costs an atomic addition, a wait also a lock: not for every event of a stage that never waits.
public final class ProgressReporter: Sendable {
    private struct Waits {
        var next = 0
        /// Until when each open wait may be silent.
        var ends: [Int: ContinuousClock.Instant] = [:]
    }

    private let moves = Atomic<UInt64>(0)
    private let waits = OrderedMutex(Waits())

    /// Creates a reporter of a run that has not begun.
    public init() {}

    /// Reports a step: an answer, an acknowledgement, the begin of an attempt.
    public func pulse() {
        self.moves.add(1, ordering: .relaxed)
    }

    /// Runs `body`, which may be silent for `limit`; its begin and its end are steps.
    ///
    /// - Parameters:
    ///   - limit: The longest time that `body` can take if nothing hangs: its timeout. A wait without a timeout must not be
    ///     declared, or a hang is never noticed.
    ///   - body: Waits.
    /// - Returns: What `body` returns.
    /// - Throws: What `body` throws.
    public func waiting<R, E: Error>(atMost limit: Duration, _ body: () async throws(E) -> R) async throws(E) -> R {
        let end = ContinuousClock.now + limit
        let number = self.waits.withLock { waits in
            waits.next += 1
            waits.ends[waits.next] = end
            return waits.next
        }
        self.pulse()
        defer {
            self.waits.withLock { _ = $0.ends.removeValue(forKey: number) }
            self.pulse()
        }
        return try await body()
    }

    // MARK: For the engine

    /// The number of steps so far.
    package var pulses: UInt64 { self.moves.load(ordering: .relaxed) }

    /// Until when the run may be silent: the latest end of an open wait, or `nil` if none is open.
    package var silentUntil: ContinuousClock.Instant? { self.waits.withLock { $0.ends.values.max() } }
}
