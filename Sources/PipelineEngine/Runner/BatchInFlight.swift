import ComponentKit
import StageKit
import Synchronization

/// The batch that a run is processing: written by the run's task, readable from any thread.
///
/// While a stage waits, nothing else runs on the stream's thread that could report it. So the task only records when it
/// took the batch, and readers of the status compare that instant with the clock. A batch costs one clock reading and
/// three atomic stores; a stage that waits also costs a lock.
final class BatchInFlight: Sendable {
    private static let none = Int64.min

    private let origin = ContinuousClock.now
    private let start = Atomic<Int64>(BatchInFlight.none)
    private let entries = Atomic<Int>(0)
    /// The stages that have not returned: one, or up to one per lane.
    private let stages = OrderedMutex<[String]>([])

    /// Records that a batch was taken.
    func begin(_ count: Int) {
        self.entries.store(count, ordering: .relaxed)
        self.start.store((ContinuousClock.now - self.origin).nanoseconds, ordering: .releasing)
    }

    /// Records that every event of the batch has its outcome. Not called for a batch that is given up: its entries stay
    /// pending.
    func end() {
        self.start.store(Self.none, ordering: .releasing)
    }

    /// Records that a stage waits while `body` runs.
    func waiting(for stage: String, _ body: () async throws -> Void) async rethrows {
        self.stages.withLock { $0.append(stage) }
        defer {
            self.stages.withLock { stages in
                if let index = stages.firstIndex(of: stage) { stages.remove(at: index) }
            }
        }
        try await body()
    }

    /// When the batch in flight was taken, or `nil` if there is none.
    var since: ContinuousClock.Instant? {
        let start = self.start.load(ordering: .acquiring)
        return start == Self.none ? nil : self.origin + .nanoseconds(start)
    }

    /// Returns a source's status as of an instant, given the batch in flight.
    func status(of source: SourceStatus, now: ContinuousClock.Instant) -> SourceStatus {
        let since = self.since
        return source.during(
            batchOf: since == nil ? 0 : self.entries.load(ordering: .relaxed), since: since,
            stage: self.stages.withLock(\.first), now: now)
    }
}
