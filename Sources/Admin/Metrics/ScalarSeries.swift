import CoreMetrics
import Synchronization

/// A counter of whole and fractional amounts. Adding is one atomic addition; it never goes down but by `reset`.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let fractional = AtomicDouble()

    /// Adds, up to the largest number of 64 bits; amounts below 1 are ignored, as a counter only grows.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        let sum = self.whole.wrappingAdd(amount, ordering: .relaxed).newValue
        if sum < 0 { self.whole.store(.max, ordering: .relaxed) }
    }

    /// Adds; amounts that are not positive and finite are ignored, as a counter only grows.
    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        self.fractional.add(amount)
    }

    /// Starts again at zero.
    func reset() {
        self.whole.store(0, ordering: .relaxed)
        self.fractional.set(0)
    }

    /// What was counted, as text: exact where only whole amounts were added.
    var text: String {
        let sum = self.whole.load(ordering: .relaxed)
        // Negative for the moment between an addition beyond the end and its correction.
        let whole = sum < 0 ? .max : sum
        let fractional = self.fractional.value
        return fractional == 0 ? "\(whole)" : MetricText.number(Double(whole) + fractional)
    }
}

/// A number that goes up and down: a meter, or a recorder that keeps the last value.
final class GaugeSeries: MeterHandler, RecorderHandler {
    private let current = AtomicDouble()

    /// Holds a value.
    func set(_ value: Int64) { self.current.set(Double(value)) }
    /// Holds a value.
    func set(_ value: Double) { self.current.set(value) }
    /// Adds to the value.
    func increment(by amount: Double) { self.current.add(amount) }
    /// Takes from the value.
    func decrement(by amount: Double) { self.current.add(-amount) }
    /// Holds a value.
    func record(_ value: Int64) { self.current.set(Double(value)) }
    /// Holds a value.
    func record(_ value: Double) { self.current.set(value) }

    /// The value as text.
    var text: String { MetricText.number(self.current.value) }
}

/// Where recordings go whose series would be one too many: it counts them, whatever they are, and forgets the values.
final class OverflowSeries: CounterHandler, FloatingPointCounterHandler, MeterHandler, RecorderHandler, TimerHandler {
    private let recordings = Atomic<Int64>(0)

    /// Counts a recording.
    func increment(by amount: Int64) { self.count() }
    /// Counts a recording.
    func increment(by amount: Double) { self.count() }
    /// Counts a recording.
    func decrement(by amount: Double) { self.count() }
    /// Counts a recording.
    func set(_ value: Int64) { self.count() }
    /// Counts a recording.
    func set(_ value: Double) { self.count() }
    /// Counts a recording.
    func record(_ value: Int64) { self.count() }
    /// Counts a recording.
    func record(_ value: Double) { self.count() }
    /// Counts a recording.
    func recordNanoseconds(_ duration: Int64) { self.count() }
    /// Does nothing: it is shared by everything beyond the limit.
    func reset() {}

    /// How many recordings went here.
    var text: String { "\(self.recordings.load(ordering: .relaxed))" }

    private func count() {
        self.recordings.wrappingAdd(1, ordering: .relaxed)
    }
}

/// A floating-point number that any thread may read and change, kept as its bit pattern.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    /// The number.
    var value: Double { Double(bitPattern: self.bits.load(ordering: .relaxed)) }

    /// Holds a number.
    func set(_ value: Double) {
        self.bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds: tried again where another thread was faster, which ends because one of them always succeeds.
    func add(_ amount: Double) {
        var old = self.bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, seen) = self.bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = seen
        }
    }
}
