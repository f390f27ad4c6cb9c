/// Reads a time from its text without allocating; `expiry.c` of the C library does the same.
package struct TimeReader {
    /// The largest number of digits that is certainly in range.
    private static let digitLimit = 18
    private static let daysBeforeMonth: InlineArray<12, Int64> = [
        0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334,
    ]
    /// The days from the start of the year 0 to 1970-01-01.
    private static let daysBeforeEpoch: Int64 = 719_528

    private var position = 0

    /// The whole text as a decimal number, or `nil` if it is something else.
    package static func number(_ text: Span<UInt8>) -> Int64? {
        var reader = TimeReader()
        let isNegative = reader.skip("-", text)
        let count = text.count - reader.position
        guard (1...Self.digitLimit).contains(count), let value = reader.digits(count, text) else { return nil }
        return isNegative ? -value : value
    }

    /// The whole text as a timestamp, or `nil` if it is something else. A part of a millisecond is cut off, so that
    /// nothing expires late.
    package static func timestamp(_ text: Span<UInt8>) -> Int64? {
        var reader = TimeReader()
        guard let days = reader.date(text),
            reader.skip("T", text) || reader.skip("t", text) || reader.skip(" ", text),
            let hour = reader.digits(2, text), hour < 24, reader.skip(":", text),
            let minute = reader.digits(2, text), minute < 60, reader.skip(":", text),
            let second = reader.digits(2, text), second <= 60,
            let fraction = reader.fraction(text), let offset = reader.offset(text), reader.position == text.count
        else { return nil }
        let minutes = (days * 24 + hour) * 60 + minute - offset
        return (minutes * 60 + second) * 1000 + fraction
    }

    /// The days from 1970-01-01 to a date of the Gregorian calendar, or `nil` if there is no such date.
    private mutating func date(_ text: Span<UInt8>) -> Int64? {
        guard let year = self.digits(4, text), self.skip("-", text), let month = self.digits(2, text),
            (1...12).contains(month), self.skip("-", text), let day = self.digits(2, text),
            (1...Self.days(month, year)).contains(day)
        else { return nil }
        // The leap days before the year; there are none before the year 0.
        let before = year - 1
        let leapDays = year == 0 ? 0 : before / 4 - before / 100 + before / 400 + 1
        let inYear = Self.daysBeforeMonth[Int(month) - 1] + (month > 2 && Self.isLeap(year) ? 1 : 0)
        return year * 365 + leapDays + inYear + day - 1 - Self.daysBeforeEpoch
    }

    /// The milliseconds of a fraction of a second, 0 if there is none, or `nil` if it has no digits.
    private mutating func fraction(_ text: Span<UInt8>) -> Int64? {
        guard self.skip(".", text) else { return 0 }
        var (value, scale) = (Int64(0), Int64(100))
        let start = self.position
        while let digit = self.digits(1, text) {
            value += digit * scale
            scale /= 10
        }
        return self.position > start ? value : nil
    }

    /// The minutes by which the time is ahead of UTC, or `nil` if there is no time zone.
    private mutating func offset(_ text: Span<UInt8>) -> Int64? {
        if self.skip("Z", text) || self.skip("z", text) { return 0 }
        let isBehind = self.skip("-", text)
        guard isBehind || self.skip("+", text), let hours = self.digits(2, text), hours < 24, self.skip(":", text),
            let minutes = self.digits(2, text), minutes < 60
        else { return nil }
        return (hours * 60 + minutes) * (isBehind ? -1 : 1)
    }

    /// The next `count` bytes as a number, or `nil` if one of them is no digit; the position moves only on success.
    private mutating func digits(_ count: Int, _ text: Span<UInt8>) -> Int64? {
        guard text.count - self.position >= count else { return nil }
        var value: Int64 = 0
        for index in self.position..<self.position + count {
            let byte = text[index]
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - UInt8(ascii: "0"))
        }
        self.position += count
        return value
    }

    private mutating func skip(_ character: Unicode.Scalar, _ text: Span<UInt8>) -> Bool {
        guard self.position < text.count, text[self.position] == UInt8(ascii: character) else { return false }
        self.position += 1
        return true
    }

    private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

    private static func days(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: self.isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
