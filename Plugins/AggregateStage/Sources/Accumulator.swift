import StageKit

/// A number, a time or a duration. The values of one measure are all of one kind.
enum Quantity: Sendable, Equatable {
    case integer(Int64)
    case unsigned(UInt64)
    case double(Double)
    /// Seconds and nanoseconds of a time or a duration.
    case time(seconds: Int64, nanoseconds: Int32)

    /// Whether the value is smaller than another one of the same kind.
    func isLess(than other: Quantity) -> Bool {
        switch (self, other) {
        case (.integer(let left), .integer(let right)): left < right
        case (.unsigned(let left), .unsigned(let right)): left < right
        case (.double(let left), .double(let right)): left < right
        case (.time(let seconds, let nanoseconds), .time(let otherSeconds, let otherNanoseconds)):
            (seconds, nanoseconds) < (otherSeconds, otherNanoseconds)
        default: false
        }
    }

    /// Returns the sum with another number of the same kind, or `nil` if it is out of range.
    func adding(_ other: Quantity) -> Quantity? {
        switch (self, other) {
        case (.integer(let left), .integer(let right)):
            let (sum, overflow) = left.addingReportingOverflow(right)
            return overflow ? nil : .integer(sum)
        case (.unsigned(let left), .unsigned(let right)):
            let (sum, overflow) = left.addingReportingOverflow(right)
            return overflow ? nil : .unsigned(sum)
        case (.double(let left), .double(let right)):
            return (left + right).isFinite ? .double(left + right) : nil
        default: return nil
        }
    }

    /// The number as a double, or `nil` for a time.
    var double: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .unsigned(let number): Double(number)
        case .double(let number): number
        case .time: nil
        }
    }
}

/// The part of an event that a measure uses.
struct Sample: Sendable, Equatable {
    /// The value, or `nil` for `count` and `distinct`.
    var quantity: Quantity?
    /// The value as in the event, for `min` and `max`.
    var text: [UInt8] = []
    /// The hash of the value, for `distinct`.
    var hash: UInt64 = 0
}

/// The state of a measure in a window.
struct Accumulator: Sendable, Equatable {
    /// The number of events that had a value.
    var count: Int64 = 0
    /// The sum, or the smallest or greatest value; `nil` if there was no value.
    var quantity: Quantity?
    /// The text of the smallest or greatest value.
    var text: [UInt8] = []
    /// The hashes of the different values.
    var seen: Set<UInt64> = []
    /// Whether there were more different values than may be counted.
    var isCapped = false

    /// Returns whether a sample can be added without exceeding the range of a sum.
    func accepts(_ sample: Sample, _ function: Measure.Function) -> Bool {
        switch function {
        case .count, .min, .max, .distinct: return true
        case .sum:
            guard let sum = self.quantity, let added = sample.quantity else { return true }
            return sum.adding(added) != nil
        case .avg:
            guard let added = sample.quantity?.double else { return true }
            return (self.quantity ?? .double(0)).adding(.double(added)) != nil
        }
    }

    /// Adds a sample that `accepts` has accepted.
    ///
    /// - Parameter room: The number of further different values that may be counted.
    mutating func add(_ sample: Sample, _ function: Measure.Function, room: Int) {
        self.count += 1
        switch function {
        case .count: break
        case .sum: self.quantity = self.quantity.map { $0.adding(sample.quantity ?? $0) ?? $0 } ?? sample.quantity
        case .avg:
            let sum = self.quantity?.double ?? 0
            self.quantity = .double(sum + (sample.quantity?.double ?? 0))
        case .min: self.replace(sample) { $0.isLess(than: $1) }
        case .max: self.replace(sample) { $1.isLess(than: $0) }
        case .distinct:
            if self.seen.contains(sample.hash) { return }
            if room > 0 { self.seen.insert(sample.hash) } else { self.isCapped = true }
        }
    }

    private mutating func replace(_ sample: Sample, if isBetter: (Quantity, Quantity) -> Bool) {
        guard let new = sample.quantity else { return }
        if let old = self.quantity, !isBetter(new, old) { return }
        self.quantity = new
        self.text = sample.text
    }
}
