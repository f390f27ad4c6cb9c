import CoreMetrics
import Synchronization

/// Counts values in buckets with fixed bounds: a timer, or a recorder that aggregates.
///
/// Recording takes two atomic operations. A concurrent scrape may see a value in its bucket but not yet in the sum;
/// buckets and count always agree, because the count is the sum of the buckets.
final class HistogramSeries: TimerHandler, RecorderHandler {
    /// Maximum number of bounds; one more bucket holds the values above all of them.
    static let boundLimit = 23

    private let bounds: [Double]
    private let buckets = InlineArray<24, Atomic<Int64>> { _ in Atomic<Int64>(0) }
    private let sum = AtomicDouble()

    /// Creates an empty histogram; bounds ascend, and there are at most `boundLimit`.
    init(bounds: [Double]) {
        self.bounds = Array(bounds.prefix(HistogramSeries.boundLimit))
    }

    /// Counts a duration, given in nanoseconds and recorded in seconds; a negative duration (the clock was set back)
    /// counts as zero.
    func recordNanoseconds(_ duration: Int64) {
        // Divided, not multiplied by 1e-9: a quotient of integers is rounded once, so it equals the bound exactly.
        self.record(Double(max(0, duration)) / 1_000_000_000)
    }

    /// Counts a value.
    func record(_ value: Int64) {
        self.record(Double(value))
    }

    /// Counts a value; values that are not finite are ignored, because they would make the sum useless.
    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = self.bounds.firstIndex { value <= $0 } ?? self.bounds.count
        self.buckets[bucket].wrappingAdd(1, ordering: .relaxed)
        self.sum.add(value)
    }

    /// Returns the counts; they are cumulative, and the last one, above all bounds, is the number of all values.
    func read() -> (bounds: [Double], counts: [Int64], sum: Double) {
        var total: Int64 = 0
        let counts = (0...self.bounds.count).map { bucket in
            total &+= self.buckets[bucket].load(ordering: .relaxed)
            return total
        }
        return (self.bounds, counts, self.sum.value)
    }
}

/// The bucket bounds of the histograms, fixed so that the series of several workers can be summed.
public enum HistogramBounds {
    /// Seconds, 1 us to 10 s in steps of 1, 2.5 and 5: a stage takes nanoseconds to microseconds per event, a batch
    /// milliseconds, and anything longer than 10 s is an outage.
    public static let seconds: [Double] = [
        0.000_001, 0.000_002_5, 0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5,
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
    /// Sizes and counts of unknown scale, 1 to a million in powers of four.
    public static let sizes: [Double] = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262_144, 1_048_576]
}
