import CoreMetrics

/// Gauges, histograms, and counters of fractions by the number of their label set.
struct Measurements {
    private struct Series {
        /// The last value of a gauge that has not been passed on.
        var pending: Double?
        var recorder: Recorder?
        /// The amounts of a counter that have not been passed on.
        var amount = 0.0
        var counter: FloatingPointCounter?
    }

    private var series: [Series] = []

    /// Replaces a gauge's value.
    mutating func set(_ value: Double, at index: Int) {
        self.makeRoom(index)
        self.series[index].pending = value
    }

    /// Adds an amount to a counter.
    mutating func add(_ amount: Double, at index: Int) {
        self.makeRoom(index)
        self.series[index].amount += amount
    }

    /// Records a value in a histogram immediately; `make` is called the first time.
    mutating func record(_ value: Double, at index: Int, _ make: (Int) -> Recorder) {
        self.makeRoom(index)
        let recorder = self.series[index].recorder ?? make(index)
        recorder.record(value)
        self.series[index].recorder = recorder
    }

    /// Passes on the gauges that were set, and the amounts that were added, since the last call.
    mutating func flush(_ make: (Int) -> Recorder, _ makeCounter: (Int) -> FloatingPointCounter) {
        for index in self.series.indices {
            if self.series[index].amount > 0 {
                let counter = self.series[index].counter ?? makeCounter(index)
                counter.increment(by: self.series[index].amount)
                self.series[index].counter = counter
                self.series[index].amount = 0
            }
            guard let value = self.series[index].pending else { continue }
            self.record(value, at: index, make)
            self.series[index].pending = nil
        }
    }

    private mutating func makeRoom(_ index: Int) {
        while self.series.count <= index { self.series.append(Series()) }
    }
}
