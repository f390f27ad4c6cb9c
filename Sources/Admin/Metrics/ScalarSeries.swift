import CoreMetrics
import Synchronization

/// A counter of integer and fractional amounts. Adding takes one atomic addition; only `reset` decreases the value.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let fractional = AtomicDouble()

    /// Adds an amount, saturating at `Int64.max`; amounts below 1 are ignored, because a counter only grows.
    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        let sum = self.whole.wrappingAdd(amount, ordering: .relaxed).newValue
        if sum < 0 { self.whole.store(.max, ordering: .relaxed) }
    }

    /// Adds an amount; amounts that are not positive and finite are ignored, because a counter only grows.
    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        self.fractional.add(amount)
    }

    /// Resets the counter to zero.
    func reset() {
        self.whole.store(0, ordering: .relaxed)
        self.fractional.set(0)
    }

    /// The value as text; exact if only integer amounts were added.
    var text: String {
        let sum = self.whole.load(ordering: .relaxed)
        // Negative for a moment between an overflowing addition and its correction.
        let whole = sum < 0 ? .max : sum
        let fractional = self.fractional.value
        return fractional == 0 ? "\(whole)" : MetricText.number(Double(whole) + fractional)
    }
}

/// A gauge: a meter, or a recorder that keeps the last value.
final class GaugeSeries: MeterHandler, RecorderHandler {
    private let current = AtomicDouble()

    /// Sets the value.
    func set(_ value: Int64) { self.current.set(Double(value)) }
    /// Sets the value.
    func set(_ value: Double) { self.current.set(value) }
    /// Adds to the value.
    func increment(by amount: Double) { self.current.add(amount) }
    /// Subtracts from the value.
    func decrement(by amount: Double) { self.current.add(-amount) }
    /// Sets the value.
    func record(_ value: Int64) { self.current.set(Double(value)) }
    /// Sets the value.
    func record(_ value: Double) { self.current.set(value) }

    /// The value as text.
    var text: String { MetricText.number(self.current.value) }
}

/// A stand-in for series beyond the limit: counts recordings of any kind and discards their values.
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
    /// Does nothing: all series beyond the limit share this one.
    func reset() {}

    /// The number of recordings, as text.
    var text: String { "\(self.recordings.load(ordering: .relaxed))" }

    private func count() {
        self.recordings.wrappingAdd(1, ordering: .relaxed)
    }
}

/// A floating-point number that any thread may read and change, stored as its bit pattern.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits = Atomic<UInt64>(0)

    /// The number.
    var value: Double { Double(bitPattern: self.bits.load(ordering: .relaxed)) }

    /// Sets the number.
    func set(_ value: Double) {
        self.bits.store(value.bitPattern, ordering: .relaxed)
    }

    /// Adds an amount, and retries if another thread was faster; this terminates because one of the threads always
    /// succeeds.
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
