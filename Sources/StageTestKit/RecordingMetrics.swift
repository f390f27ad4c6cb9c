public import CoreMetrics
import StageKit

/// A metrics factory that keeps what was counted and measured, by name and labels.
public final class RecordingMetrics: MetricsFactory {
    private struct State {
        var counters: [String: Int64] = [:]
        var increments = 0
        var values: [String: [Double]] = [:]
    }

    private let state = OrderedMutex(State())

    /// Makes a factory that has counted nothing.
    public init() {}

    /// Totals by counter: `events{status="active"}`, labels in the order they were given.
    public var counters: [String: Int64] { self.state.withLock(\.counters) }

    /// How often any counter was incremented.
    public var increments: Int { self.state.withLock(\.increments) }

    /// What recorders, gauges and timers (in nanoseconds) were told, in order.
    public var values: [String: [Double]] { self.state.withLock(\.values) }

    /// A counter that starts at 0, or goes on where the same one stands.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        Handler(self, label, dimensions)
    }

    /// A recorder.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        Handler(self, label, dimensions)
    }

    /// A timer.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        Handler(self, label, dimensions)
    }

    /// Does nothing: what was counted stays.
    public func destroyCounter(_ handler: any CounterHandler) {}

    /// Does nothing: what was recorded stays.
    public func destroyRecorder(_ handler: any RecorderHandler) {}

    /// Does nothing: what was recorded stays.
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
