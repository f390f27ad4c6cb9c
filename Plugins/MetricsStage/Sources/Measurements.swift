import CoreMetrics

/// Gauges and histograms by the number of their label set.
struct Measurements {
    private struct Series {
        /// The last value of a gauge that has not been passed on.
        var pending: Int64?
        var recorder: Recorder?
    }

    private var series: [Series] = []

    /// Replaces a gauge's value.
    mutating func set(_ value: Int64, at index: Int) {
        self.makeRoom(index)
        self.series[index].pending = value
    }

    /// Records a value in a histogram immediately; `make` is called the first time.
    mutating func record(_ value: Int64, at index: Int, _ make: (Int) -> Recorder) {
        self.makeRoom(index)
        let recorder = self.series[index].recorder ?? make(index)
        recorder.record(value)
        self.series[index].recorder = recorder
    }

    /// Passes on the gauges that were set since the last call.
    mutating func flush(_ make: (Int) -> Recorder) {
        for index in self.series.indices {
            guard let value = self.series[index].pending else { continue }
            self.record(value, at: index, make)
            self.series[index].pending = nil
        }
    }

    private mutating func makeRoom(_ index: Int) {
        while self.series.count <= index { self.series.append(Series()) }
    }
}
