public import CoreMetrics
import StageKit

/// A metrics factory that records all counts and measurements by name and labels.
public final class RecordingMetrics: MetricsFactory {
    private struct State {
        var counters: [String: Int64] = [:]
        var increments = 0
        var values: [String: [Double]] = [:]
    }

    private let state = OrderedMutex(State())

    /// Creates an empty factory.
    public init() {}

    /// The totals by counter: `events{status="active"}`, with labels in the order in which they were given.
    public var counters: [String: Int64] { self.state.withLock(\.counters) }

    /// The number of increments of all counters.
    public var increments: Int { self.state.withLock(\.increments) }

    /// The values of recorders, gauges and timers (in nanoseconds), in order.
    public var values: [String: [Double]] { self.state.withLock(\.values) }

    /// Returns a counter that starts at 0 or continues an existing one.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        Handler(self, label, dimensions)
    }

    /// Returns a recorder.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        Handler(self, label, dimensions)
    }

    /// Returns a timer.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        Handler(self, label, dimensions)
    }

    /// Does nothing: the counts stay.
    public func destroyCounter(_ handler: any CounterHandler) {}

    /// Does nothing: the values stay.
    public func destroyRecorder(_ handler: any RecorderHandler) {}

    /// Does nothing: the values stay.
    public func destroyTimer(_ handler: any TimerHandler) {}

    private final class Handler: CounterHandler, RecorderHandler, TimerHandler {
        private let metrics: RecordingMetrics
        private let name: String

        init(_ metrics: RecordingMetrics, _ label: String, _ dimensions: [(String, String)]) {
            let labels = dimensions.map { "\($0.0)=\"\($0.1)\"" }.joined(separator: ",")
            self.metrics = metrics
            self.name = labels.isEmpty ? label : "\(label){\(labels)}"
        }

        func increment(by amount: Int64) {
            self.metrics.state.withLock { state in
                state.counters[self.name, default: 0] += amount
                state.increments += 1
            }
        }

        func reset() {
            self.metrics.state.withLock { $0.counters[self.name] = 0 }
        }

        func record(_ value: Int64) { self.record(Double(value)) }

        func record(_ value: Double) {
            self.metrics.state.withLock { $0.values[self.name, default: []].append(value) }
        }

        func recordNanoseconds(_ duration: Int64) { self.record(Double(duration)) }
    }
}
