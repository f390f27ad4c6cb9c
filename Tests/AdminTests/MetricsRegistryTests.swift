import CoreMetrics
import Testing

@testable import Admin

@Suite struct MetricsRegistryTests {
    /// The exposition without the registry's own two counters.
    private func lines(_ registry: MetricsRegistry) -> [String] {
        registry.exposition().split(separator: "\n").map(String.init).filter { !$0.contains("sluice_metrics_") }
    }

    @Test("Counters and gauges are written in the order of names and labels, with HELP and TYPE")
    func golden() {
        let registry = MetricsRegistry()
        registry.describe("zebra_total", help: "Stripes\nand \\ \"more\".")
        Counter(label: "zebra", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment(by: 3)
        Counter(label: "zebra", dimensions: [("a", "1"), ("b", "1")], factory: registry).increment()
        Counter(label: "zebra.total", factory: registry).increment(by: 9)
        FloatingPointCounter(label: "energy_total", factory: registry).increment(by: 1.5)
        Gauge(label: "app depth", dimensions: [("path", "C:\\x\n\"y\"")], factory: registry).record(-4)
        Meter(label: "level", factory: registry).set(2.25)
        #expect(
            registry.exposition() == #"""
                # HELP app_depth The gauge "app depth".
                # TYPE app_depth gauge
                app_depth{path="C:\\x\n\"y\""} -4
                # HELP energy_total The counter "energy_total".
                # TYPE energy_total counter
                energy_total 1.5
                # HELP level The gauge "level".
                # TYPE level gauge
                level 2.25
                # HELP sluice_metrics_overflow_total Recordings discarded because their series exceeded the limit.
                # TYPE sluice_metrics_overflow_total counter
                sluice_metrics_overflow_total 0
                # HELP sluice_metrics_series_refused_total Series refused: beyond the limit, or a name of another type.
                # TYPE sluice_metrics_series_refused_total counter
                sluice_metrics_series_refused_total 0
                # HELP zebra_total Stripes\nand \\ "more".
                # TYPE zebra_total counter
                zebra_total 9
                zebra_total{a="1",b="1"} 1
                zebra_total{a="1",b="2"} 3

                """#)
    }

    @Test("A timer is a histogram of seconds with cumulative buckets and inclusive upper bounds")
    func timer() {
        let registry = MetricsRegistry()
        let timer = Timer(label: "stage", dimensions: [("le", "mine")], factory: registry)
        for nanoseconds: Int64 in [-5, 250_000, 250_001, 60_000_000_000] { timer.recordNanoseconds(nanoseconds) }
        let lines = self.lines(registry)
        #expect(lines[1] == "# TYPE stage_seconds histogram")
        #expect(lines.contains(#"stage_seconds_bucket{exported_le="mine",le="1e-06"} 1"#))
        #expect(lines.contains(#"stage_seconds_bucket{exported_le="mine",le="0.00025"} 2"#))
        #expect(lines.contains(#"stage_seconds_bucket{exported_le="mine",le="0.0005"} 3"#))
        #expect(lines.contains(#"stage_seconds_bucket{exported_le="mine",le="10"} 3"#))
        #expect(lines.contains(#"stage_seconds_bucket{exported_le="mine",le="+Inf"} 4"#))
        #expect(lines.contains(#"stage_seconds_count{exported_le="mine"} 4"#))
        #expect(lines.contains(#"stage_seconds_sum{exported_le="mine"} 60.000500001"#))
        #expect(lines.count == 2 + HistogramBounds.seconds.count + 3)
    }

    @Test("An aggregating recorder is a histogram of sizes; non-finite values are ignored")
    func recorder() {
        let registry = MetricsRegistry()
        let recorder = Recorder(label: "batch", factory: registry)
        for value in [1, 5, 1e9, .nan, .infinity] { recorder.record(value) }
        let lines = self.lines(registry)
        #expect(lines.contains(#"batch_bucket{le="1"} 1"#))
        #expect(lines.contains(#"batch_bucket{le="16"} 2"#))
        #expect(lines.contains(#"batch_bucket{le="+Inf"} 3"#))
        #expect(lines.contains("batch_sum 1000000006"))
    }

    @Test("Bucket bounds ascend and fit into a histogram", arguments: [HistogramBounds.seconds, HistogramBounds.sizes])
    func bounds(bounds: [Double]) {
        #expect(bounds == bounds.sorted())
        #expect(Set(bounds).count == bounds.count)
        #expect(bounds.count <= HistogramSeries.boundLimit)
    }

    @Test(
        "Invalid names and labels are made valid",
        arguments: [
            ("a.b-c", "x.y", #"a_b_c_total{x_y="v"} 1"#), ("9lives", "9", #"_9lives_total{_9="v"} 1"#),
            ("naïve:x", "a:b", #"na_ve:x_total{a_b="v"} 1"#), ("", "", #"__total{_="v"} 1"#),
            ("x_total", "__r", #"x_total{exported___r="v"} 1"#),
        ])
    func names(label: String, dimension: String, line: String) {
        let registry = MetricsRegistry()
        Counter(label: label, dimensions: [(dimension, "v")], factory: registry).increment()
        #expect(self.lines(registry).last == line)
    }

    @Test("The order of labels does not matter, and the last value of a repeated label counts")
    func shared() {
        let registry = MetricsRegistry()
        Counter(label: "c", dimensions: [("a", "1"), ("b", "2")], factory: registry).increment()
        Counter(label: "c", dimensions: [("b", "2"), ("a", "0"), ("a", "1")], factory: registry).increment()
        FloatingPointCounter(label: "c", dimensions: [("b", "2"), ("a", "1")], factory: registry).increment(by: 0.5)
        #expect(self.lines(registry).suffix(1) == [#"c_total{a="1",b="2"} 2.5"#])
    }

    @Test("A name that another kind already uses gets its kind as a suffix")
    func conflict() {
        let registry = MetricsRegistry()
        Recorder(label: "x", factory: registry).record(1)
        Gauge(label: "x_count", factory: registry).record(7)
        Gauge(label: "x", factory: registry).record(8)
        let lines = self.lines(registry)
        #expect(lines.contains("x_count_gauge 7"))
        #expect(lines.contains("x_gauge 8"))
        #expect(lines.contains("x_count 1"))
        #expect(lines.filter { $0.hasPrefix("# TYPE x ") } == ["# TYPE x histogram"])
    }

    @Test("Beyond the limit, recordings of every kind go to one counter and refused series are counted")
    func limit() {
        let registry = MetricsRegistry(limit: 2)
        for value in 0..<5 {
            Counter(label: "c", dimensions: [("v", "\(value)")], factory: registry).increment(by: 10)
        }
        Timer(label: "t", factory: registry).recordNanoseconds(1)
        Gauge(label: "g", factory: registry).record(1)
        Counter(label: "c", dimensions: [("v", "0")], factory: registry).increment()
        registry.registerCollector { [MetricSample("late", .gauge, help: "h", value: 1)] }
        let text = registry.exposition()
        #expect(text.contains("c_total{v=\"0\"} 11\nc_total{v=\"1\"} 10\n#"))
        #expect(text.contains("\nsluice_metrics_overflow_total 5\n"))
        #expect(text.contains("\nsluice_metrics_series_refused_total 6\n"))
        #expect(!text.contains("late"))
    }

    @Test("A long label value is cut at a character boundary")
    func longLabel() {
        let registry = MetricsRegistry()
        let value = "x" + String(repeating: "é", count: 1000)
        Counter(label: "c", dimensions: [("v", value)], factory: registry).increment()
        #expect(self.lines(registry).last == "c_total{v=\"x\(String(repeating: "é", count: 127))\"} 1")
    }

    @Test("Collected values are read at each scrape; duplicate series are left out")
    func collectors() {
        let registry = MetricsRegistry()
        let source = Counter(label: "calls", factory: registry)
        registry.registerCollector {
            source.increment()
            return [
                MetricSample("entries", .gauge, help: "Held.", labels: [("store", "s")], value: 3),
                MetricSample("entries", .gauge, help: "Held.", labels: [("store", "s")], value: 4),
                MetricSample("gaps", .counter, help: "Gaps.", value: .infinity),
            ]
        }
        _ = registry.exposition()
        #expect(
            self.lines(registry).filter { !$0.contains("HELP calls") && !$0.contains("TYPE calls") } == [
                "calls_total 2", "# HELP entries Held.", "# TYPE entries gauge", #"entries{store="s"} 3"#,
                "# HELP gaps_total Gaps.", "# TYPE gaps_total counter", "gaps_total +Inf",
            ])
    }

    @Test("A counter decreases only by its reset")
    func monotonic() {
        let series = CounterSeries()
        series.increment(by: Int64(-3))
        series.increment(by: -0.5)
        series.increment(by: Double.nan)
        #expect(series.text == "0")
        series.increment(by: Int64(2))
        series.reset()
        #expect(series.text == "0")
    }

    @Test("Nothing is lost when many threads count concurrently")
    func concurrent() async {
        let registry = MetricsRegistry()
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask {
                    let counter = Counter(label: "c", factory: registry)
                    let meter = Meter(label: "m", factory: registry)
                    let recorder = Recorder(label: "r", factory: registry)
                    for _ in 0..<10_000 {
                        counter.increment()
                        meter.increment(by: 1)
                        recorder.record(2)
                    }
                }
            }
        }
        let lines = self.lines(registry)
        #expect(lines.contains("c_total 80000"))
        #expect(lines.contains("m 80000"))
        #expect(lines.contains("r_count 80000"))
        #expect(lines.contains("r_sum 160000"))
    }
}
