public import CoreMetrics
import StageKit

/// Collects metrics and writes them in the Prometheus text format.
///
/// A backend of swift-metrics that is passed explicitly and not bootstrapped for the process. Creating a handler takes
/// a lock and finds the series with the same labels, so that the same name and labels always share one series; using a
/// handler takes no lock. A counter's name gets the suffix `_total` and a timer's `_seconds`, unless it already has it.
/// Series exist as long as the registry: a counter that disappears would look like a restart. Thread-safe.
public final class MetricsRegistry: MetricsFactory {
    /// The name of the counter of recordings that were discarded because their series exceeded the limit.
    public static let overflowName = "sluice_metrics_overflow_total"
    /// The name of the counter of series that were refused.
    public static let refusedName = "sluice_metrics_series_refused_total"

    private struct State {
        var families: MetricFamilies
        var collectors: [@Sendable () -> [MetricSample]] = []
    }

    private let state: OrderedMutex<State>
    private let overflow = OverflowSeries()
    private let limit: Int

    /// Creates an empty registry for at most `limit` lines of samples.
    public init(limit: Int = MetricLimits.samples) {
        self.limit = limit
        self.state = OrderedMutex(State(families: MetricFamilies(limit: limit)))
    }

    /// Sets the help text of a family; `name` includes its suffix: `sluice_events_total`.
    public func describe(_ name: String, help: String) {
        self.state.withLock { $0.families.describe(name, help: help) }
    }

    /// Adds values that are read at each scrape, on the scrape's thread; `collect` must not block.
    public func registerCollector(_ collect: @escaping @Sendable () -> [MetricSample]) {
        self.state.withLock { $0.collectors.append(collect) }
    }

    /// Returns the current values under their names in the exposition; a histogram appears as its `_count` and `_sum`.
    package func samples() -> [MetricSample] {
        let (collectors, families) = self.state.withLock { ($0.collectors, $0.families.read()) }
        let read = families.flatMap { name, family in
            family.series.flatMap { labels, value in
                value.samples(name, family, labels.map { ($0.name, $0.value) })
            }
        }
        let collected = collectors.flatMap { $0() }.map { sample in
            var sample = sample
            sample.name = MetricName.family(sample.name, kind: sample.kind)
            return sample
        }
        return read + collected
    }

    /// Returns the exposition; its order depends only on names and labels.
    ///
    /// A collected sample is omitted if its name belongs to another kind, if its labels already exist, or if it exceeds
    /// the limit.
    public func exposition() -> String {
        MetricText.write(self.families())
    }

    /// Returns the current values of all series, as in the exposition, sorted by name.
    package func readings() -> [MetricReading] {
        self.families().sorted { $0.key < $1.key }.compactMap { name, family in
            let series = family.series.map { labels, value in
                MetricReading.Series(labels: labels.map { ($0.name, $0.value) }, value: MetricReading.Value(value))
            }
            return series.isEmpty
                ? nil : MetricReading(name: name, kind: family.kind, help: family.help, series: series)
        }
    }

    private func families() -> [String: MetricText.Family] {
        let (collectors, lines) = self.state.withLock { ($0.collectors, $0.families.lines) }
        let samples = collectors.flatMap { $0() }
        var (families, refused) = self.state.withLock { ($0.families.read(), $0.families.refused) }
        var room = max(0, self.limit - lines)
        for sample in samples {
            if room > 0, MetricsRegistry.add(sample, to: &families) { room -= 1 } else { refused += 1 }
        }
        families[MetricsRegistry.overflowName] = MetricText.Family(
            kind: .counter, help: "Recordings discarded because their series exceeded the limit.",
            series: [[]: .number(self.overflow.text)])
        families[MetricsRegistry.refusedName] = MetricText.Family(
            kind: .counter,
            help: "Series refused: beyond the limit, or a name of another type.",
            series: [[]: .number("\(refused)")])
        return families
    }

    private static func add(_ sample: MetricSample, to families: inout [String: MetricText.Family]) -> Bool {
        guard sample.kind != .histogram else { return false }
        let name = MetricName.family(sample.name, kind: sample.kind)
        let labels = MetricName.labels(sample.labels.map { ($0.name, $0.value) }, kind: sample.kind)
        var family = families[name] ?? MetricText.Family(kind: sample.kind, help: sample.help, series: [:])
        guard family.kind == sample.kind, family.series[labels] == nil else { return false }
        family.series[labels] = .number(MetricText.number(sample.value))
        families[name] = family
        return true
    }
}

extension MetricsRegistry {
    /// Returns the counter with these labels.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        self.counter(label, dimensions) ?? self.overflow
    }

    /// Returns the counter with these labels; it shares its series with the integer counter.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        self.counter(label, dimensions) ?? self.overflow
    }

    /// Returns the gauge with these labels.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        self.gauge(label, dimensions) ?? self.overflow
    }

    /// Returns a histogram of sizes if `aggregate` is set, and otherwise the gauge with these labels.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate { return self.histogram(label, dimensions, HistogramBounds.sizes) ?? self.overflow }
        return self.gauge(label, dimensions) ?? self.overflow
    }

    /// Returns a histogram of seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = label.hasSuffix("_seconds") ? label : "\(label)_seconds"
        return self.histogram(name, dimensions, HistogramBounds.seconds) ?? self.overflow
    }

    /// Does nothing: series are permanent.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing: series are permanent.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Does nothing: series are permanent.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing: series are permanent.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing: series are permanent.
    public func destroyTimer(_ handler: any TimerHandler) {}

    private func counter(_ label: String, _ dimensions: [(String, String)]) -> CounterSeries? {
        let series = self.state.withLock {
            $0.families.series(label, .counter, dimensions, lines: 1) { .counter(CounterSeries()) }
        }
        if case .counter(let counter) = series { return counter }
        return nil
    }

    private func gauge(_ label: String, _ dimensions: [(String, String)]) -> GaugeSeries? {
        let series = self.state.withLock {
            $0.families.series(label, .gauge, dimensions, lines: 1) { .gauge(GaugeSeries()) }
        }
        if case .gauge(let gauge) = series { return gauge }
        return nil
    }

    private func histogram(
        _ label: String, _ dimensions: [(String, String)], _ bounds: [Double]
    ) -> HistogramSeries? {
        // One line per bound, one for `+Inf`, the sum and the count.
        let series = self.state.withLock {
            $0.families.series(label, .histogram, dimensions, lines: bounds.count + 3) {
                .histogram(HistogramSeries(bounds: bounds))
            }
        }
        if case .histogram(let histogram) = series { return histogram }
        return nil
    }
}
