import ComponentKit
import StageKit
import Synchronization

/// Another source, stopped after so many events, with the time it took: one addition for each batch.
final class MeteredSource: EventSource {
    /// When the run began and when the last of the events had its outcome.
    struct Reading: Sendable {
        /// Events delivered.
        var events = 0
        /// Batches delivered.
        var batches = 0
        /// Seconds by the wall, connecting included.
        var wall = 0.0
        /// What the process had used when the run began.
        var before: ResourceUsage
        /// What it had used when the last event was done.
        var after: ResourceUsage
    }

    private let inner: any EventSource
    private let limit: Int
    private let last = Mutex<Reading?>(nil)

    /// Meters `inner` up to `limit` events.
    init(_ inner: any EventSource, limit: Int) {
        self.inner = inner
        self.limit = limit
    }

    /// What was measured; nil before the limit was reached.
    var reading: Reading? { self.last.withLock { $0 } }

    /// The stream's name.
    var stream: String { self.inner.stream }
    /// How the source is doing.
    var status: SourceStatus { self.inner.status }
    /// Ends the run soon.
    func stop() { self.inner.stop() }

    /// Delivers batches until stopped.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        let usage = ResourceUsage.now
        var reading = Reading(before: usage, after: usage)
        let start = Clocks.monotonic
        try await self.inner.run { batch in
            try await deliver(batch)
            reading.events += batch.count
            reading.batches += 1
            if reading.events >= self.limit {
                reading.wall = Double(Clocks.monotonic - start) / 1e9
                reading.after = ResourceUsage.now
                let done = reading
                self.last.withLock { $0 = $0 ?? done }
                self.inner.stop()
            }
        }
    }
}
