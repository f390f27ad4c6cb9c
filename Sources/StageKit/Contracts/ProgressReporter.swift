import Synchronization

/// Reports the progress of a run, so that a long wait can be distinguished from a hang.
///
/// The service watchdog and `/livez` consider a run hung if it reports nothing for too long while a batch is in flight.
/// Everything that waits within a batch therefore reports here: a stage in `complete` and `endBatch`, a store, a
/// publisher, a revocation handler. There are two kinds of report:
/// - `pulse()` for each step: a reply, an acknowledgement, the start of an attempt.
/// - `waiting(atMost:_:)` around a wait with a known limit, such as a request with a timeout or the delay before the
///   next attempt. Silence up to that limit, however long, is not a hang; silence beyond it is.
///
/// The engine reports these steps itself: each batch taken and finished, each stage that returns, each event that a
/// stage accesses or decides in `complete` (`WaitingEvents`), and the delays of `on_failure: retry`. A stage that
/// awaits one event after another therefore needs no report of its own unless a single wait can exceed the watchdog's
/// timeout.
///
/// Thread-safe. A report costs one atomic addition, a wait also a lock. Do not report for every event in a stage that
/// never waits.
public final class ProgressReporter: Sendable {
    private struct Waits {
        var next = 0
        /// The end of each open wait.
        var ends: [Int: ContinuousClock.Instant] = [:]
    }

    private let moves = Atomic<UInt64>(0)
    private let waits = OrderedMutex(Waits())

    /// Creates a reporter for a run that has not started.
    public init() {}

    /// Reports a step: a reply, an acknowledgement, the start of an attempt.
    public func pulse() {
        self.moves.add(1, ordering: .relaxed)
    }

    /// Runs `body`, which may take up to `limit` without reporting. Its start and its end count as steps.
    ///
    /// - Parameters:
    ///   - limit: The longest time that `body` takes if nothing hangs: its timeout. Do not declare a wait without a
    ///     timeout, or a hang is never detected.
    ///   - body: The wait.
    /// - Returns: The result of `body`.
    /// - Throws: The error that `body` throws.
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

    /// The instant up to which the run may be silent: the latest end of an open wait, or `nil` if none is open.
    package var silentUntil: ContinuousClock.Instant? { self.waits.withLock { $0.ends.values.max() } }
}
