import CoreMetrics

/// Gauges and histograms by the number of their label values' set.
struct Measurements {
    private struct Series {
        /// The last value of a gauge that has not been handed over.
        var pending: Int64?
        var recorder: Recorder?
    }

    private var series: [Series] = []

    /// Notes a gauge's value in place of the one before.
    mutating func set(_ value: Int64, at index: Int) {
        self.makeRoom(index)
        self.series[index].pending = value
    }

    /// Hands a value over at once, for a histogram; `make` is called the first time.
    mutating func record(_ value: Int64, at index: Int, _ make: (Int) -> Recorder) {
        self.makeRoom(index)
        let recorder = self.series[index].recorder ?? make(index)
        recorder.record(value)
        self.series[index].recorder = recorder
    }

    /// Hands over the gauges that were set since the last time.
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
