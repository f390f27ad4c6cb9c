import Admin
import HTTPBase
import Histogram
import PipelineEngine
import StageKit

/// Measures the time from XADD to applied: the publisher notes when it sends an id, the observer when it is settled.
final class DemoMeter: Sendable {
    /// Maximum number of ids that wait for their outcome: beyond it the publisher is far ahead, and further events are
    /// not timed.
    private static let pendingLimit = 200_000
    /// The longest measured time, in microseconds; longer ones count as this.
    private static let longestMicroseconds: UInt64 = 60_000_000

    /// Times in microseconds.
    struct Latency {
        /// The median.
        var p50: UInt64
        /// The 99th percentile.
        var p99: UInt64
        /// The maximum.
        var max: UInt64
    }

    private struct State {
        var sent: [EntryID: ContinuousClock.Instant] = [:]
        var histogram = Histogram<UInt32>(
            highestTrackableValue: longestMicroseconds, numberOfSignificantValueDigits: .two)
        var address: ListenAddress?
    }

    private let state = OrderedMutex(State())

    /// Records that entries are about to be sent.
    func sending(_ ids: [EntryID]) {
        let now = ContinuousClock.now
        self.state.withLock { state in
            for id in ids where state.sent.count < Self.pendingLimit { state.sent[id] = now }
        }
    }

    /// Records that an entry has its outcome.
    func settled(_ id: EntryID) {
        let now = ContinuousClock.now
        self.state.withLock { state in
            guard let sent = state.sent.removeValue(forKey: id) else { return }
            let microseconds = UInt64(max(0, (now - sent).microseconds))
            state.histogram.record(min(microseconds, Self.longestMicroseconds))
        }
    }

    /// Returns the times so far, or `nil` before the first.
    func latency() -> Latency? {
        self.state.withLock { state in
            guard state.histogram.totalCount > 0 else { return nil }
            return Latency(
                p50: state.histogram.valueAtPercentile(50), p99: state.histogram.valueAtPercentile(99),
                max: state.histogram.max)
        }
    }

    /// The address of the worker's HTTP interface, `nil` before it listens.
    var address: ListenAddress? { self.state.withLock { $0.address } }

    /// Sets the address of the worker's HTTP interface.
    func setAddress(_ address: ListenAddress) {
        self.state.withLock { $0.address = address }
    }
}

/// Reports each outcome to the meter.
final class DemoObserver: OutcomeObserver {
    private let meter: DemoMeter

    /// Creates an observer.
    init(meter: DemoMeter) {
        self.meter = meter
    }

    /// Records the event's outcome.
    func observe(_ event: borrowing Event, _ result: EventResult) {
        self.meter.settled(event.id)
    }

    /// Does nothing.
    func endBatch() async throws {}
}
