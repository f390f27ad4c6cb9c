/// A signed length of time: as many nanoseconds as a signed number of 64 bits can count, some 292 years.
public struct Duration: Hashable, Comparable, Sendable {
    /// The whole seconds, rounded down.
    public let seconds: Int64
    /// The nanoseconds after `seconds`: 0 to 999,999,999.
    public let nanoseconds: Int32

    /// The range.
    public static var range: ClosedRange<Duration> {
        let least = Duration(seconds: -9_223_372_037, nanoseconds: 145_224_192)
        return least...Duration(seconds: 9_223_372_036, nanoseconds: 854_775_807)
    }

    /// Creates a duration; a value beyond the range is for intermediate results only.
    init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Creates a duration.
    ///
    /// - Returns: `nil` if it is beyond the range.
    public init?(wholeSeconds: Int64, nanoseconds: Int64) {
        let (carried, overflow) = wholeSeconds.addingReportingOverflow(nanoseconds / 1_000_000_000)
        // The second step may carry one more second.
        guard !overflow, carried > .min, carried < .max else { return nil }
        let (seconds, rest) = Self.carry(carried, nanoseconds % 1_000_000_000)
        self.init(seconds: seconds, nanoseconds: Int32(rest))
        guard Self.range.contains(self) else { return nil }
    }

    /// Moves whole seconds out of nanoseconds between -2 and 2 seconds.
    static func carry(_ seconds: Int64, _ nanoseconds: Int64) -> (Int64, Int64) {
        if nanoseconds < 0 { return (seconds - 1, nanoseconds + 1_000_000_000) }
        if nanoseconds >= 1_000_000_000 { return (seconds + 1, nanoseconds - 1_000_000_000) }
        return (seconds, nanoseconds)
    }

    /// Orders by length.
    public static func < (left: Duration, right: Duration) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// The sum, or `nil` if it is beyond the range.
    func adding(_ other: Duration) -> Duration? {
        Duration(
            wholeSeconds: self.seconds + other.seconds,
            nanoseconds: Int64(self.nanoseconds) + Int64(other.nanoseconds))
    }

    /// The duration of the opposite sign.
    var negated: Duration {
        let (seconds, nanoseconds) = Self.carry(-self.seconds, -Int64(self.nanoseconds))
        return Duration(seconds: seconds, nanoseconds: Int32(nanoseconds))
    }

    /// The whole seconds, rounded towards zero, and the rest with the sign of the duration.
    var truncated: (seconds: Int64, nanoseconds: Int64) {
        self.seconds < 0 && self.nanoseconds > 0
            ? (self.seconds + 1, Int64(self.nanoseconds) - 1_000_000_000) : (self.seconds, Int64(self.nanoseconds))
    }

    /// Digits after a decimal point, without trailing zeros; empty for 0.
    static func fraction(_ nanoseconds: Int32) -> String {
        if nanoseconds == 0 { return "" }
        var digits = String(nanoseconds)
        digits = String(repeating: "0", count: 9 - digits.utf8.count) + digits
        while digits.last == "0" { digits.removeLast() }
        return "." + digits
    }
}

extension Duration: CustomStringConvertible {
    /// The duration in seconds: `90s`, `-1.5s`.
    public var description: String {
        let parts = self.truncated
        let sign = self.seconds < 0 && parts.seconds == 0 ? "-" : ""
        return "\(sign)\(parts.seconds)\(Self.fraction(Int32(abs(parts.nanoseconds))))s"
    }

    /// Parses numbers with units: `1h30m`, `-1.5s`, `250ms`, `0`.
    public init?(_ text: String) {
        var reader = DigitReader(text)
        let isNegative = reader.take("-")
        if !isNegative { _ = reader.take("+") }
        if reader.isAtEnd { return nil }
        if text == "0" || text == "-0" || text == "+0" {
            self.init(seconds: 0)
            return
        }
        var sum = Duration(seconds: 0)
        while !reader.isAtEnd {
            guard let part = reader.durationPart(), let total = sum.adding(part) else { return nil }
            sum = total
        }
        self = isNegative ? sum.negated : sum
    }
}

/// Reads digits and marks of times.
struct DigitReader {
    private let bytes: [UInt8]
    private var index = 0

    init(_ text: String) { self.bytes = Array(text.utf8) }

    /// Whether everything was read.
    var isAtEnd: Bool { self.index == self.bytes.count }

    /// Reads a character if it comes next.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard self.index < self.bytes.count, UInt32(self.bytes[self.index]) == character.value else { return false }
        self.index += 1
        return true
    }

    /// Reads exactly so many digits.
    mutating func number(_ count: Int) -> Int? {
        guard self.index + count <= self.bytes.count else { return nil }
        var value = 0
        for byte in self.bytes[self.index..<(self.index + count)] {
            guard byte.isDigit else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        self.index += count
        return value
    }

    /// Reads digits as nanoseconds; those beyond nanoseconds are dropped.
    mutating func fraction() -> Int32? {
        let start = self.index
        var value: Int32 = 0
        while self.index < self.bytes.count, self.bytes[self.index].isDigit, self.index - start < 9 {
            value = value * 10 + Int32(self.bytes[self.index] - 0x30)
            self.index += 1
        }
        if self.index == start { return nil }
        for _ in (self.index - start)..<9 { value *= 10 }
        while self.index < self.bytes.count, self.bytes[self.index].isDigit { self.index += 1 }
        return value
    }

    /// Reads `Z` or an offset such as `+02:00` in seconds.
    mutating func zone() -> Int? {
        if self.take("Z") || self.take("z") { return 0 }
        let isNegative = self.take("-")
        guard isNegative || self.take("+"), let hours = self.number(2), self.take(":"), let minutes = self.number(2),
            hours < 24, minutes < 60
        else { return nil }
        return (hours * 3600 + minutes * 60) * (isNegative ? -1 : 1)
    }

    private static let units: [(text: [UInt8], nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ].map { (Array($0.utf8), $1) }

    /// Reads a number, possibly with a fraction, and its unit.
    mutating func durationPart() -> Duration? {
        var whole: Int64 = 0
        let start = self.index
        while self.index < self.bytes.count, self.bytes[self.index].isDigit {
            let (product, first) = whole.multipliedReportingOverflow(by: 10)
            let (sum, second) = product.addingReportingOverflow(Int64(self.bytes[self.index] - 0x30))
            guard !first, !second else { return nil }
            whole = sum
            self.index += 1
        }
        var digits = self.index - start
        var fraction: Double = 0
        if self.take(".") {
            var scale = 0.1
            while self.index < self.bytes.count, self.bytes[self.index].isDigit {
                fraction += Double(self.bytes[self.index] - 0x30) * scale
                scale /= 10
                digits += 1
                self.index += 1
            }
        }
        let rest = self.bytes[self.index...]
        guard digits > 0, let unit = Self.units.first(where: { rest.starts(with: $0.text) }) else { return nil }
        self.index += unit.text.count
        let part = Int64((fraction * Double(unit.nanoseconds)).rounded())
        // Whole hours and minutes do not fit into nanoseconds.
        guard unit.nanoseconds < 1_000_000_000 else {
            let (seconds, overflow) = whole.multipliedReportingOverflow(by: unit.nanoseconds / 1_000_000_000)
            return overflow ? nil : Duration(wholeSeconds: seconds, nanoseconds: part)
        }
        let perSecond = 1_000_000_000 / unit.nanoseconds
        return Duration(
            wholeSeconds: whole / perSecond, nanoseconds: whole % perSecond * unit.nanoseconds + part)
    }
}
