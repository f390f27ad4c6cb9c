/// A point in time from the years 1 to 9999, in nanoseconds.
public struct Timestamp: Hashable, Comparable, Sendable {
    /// The seconds since 1970-01-01T00:00:00Z.
    public let seconds: Int64
    /// The nanoseconds after `seconds`: 0 to 999,999,999.
    public let nanoseconds: Int32

    /// The first and the last second of the range: years 1 and 9999.
    public static let range: ClosedRange<Int64> = -62_135_596_800...253_402_300_799

    /// Creates a timestamp; a value beyond `range` is for intermediate results only.
    init(seconds: Int64, nanoseconds: Int32 = 0) {
        self.seconds = seconds
        self.nanoseconds = nanoseconds
    }

    /// Creates a timestamp.
    ///
    /// - Returns: `nil` if the seconds are beyond `range`, or the nanoseconds are no part of a second.
    public init?(unixSeconds: Int64, nanoseconds: Int32 = 0) {
        guard Self.range.contains(unixSeconds), (0..<1_000_000_000).contains(nanoseconds) else { return nil }
        self.init(seconds: unixSeconds, nanoseconds: nanoseconds)
    }

    /// Orders by time.
    public static func < (left: Timestamp, right: Timestamp) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }

    /// Returns the timestamp a duration later, or `nil` if it is beyond the range.
    func adding(_ duration: Duration) -> Timestamp? {
        let (seconds, nanoseconds) = Duration.carry(
            self.seconds + duration.seconds, Int64(self.nanoseconds) + Int64(duration.nanoseconds))
        return Timestamp(unixSeconds: seconds, nanoseconds: Int32(nanoseconds))
    }

    /// Returns the duration since another timestamp, or `nil` if it is beyond the range.
    func since(_ other: Timestamp) -> Duration? {
        Duration(
            wholeSeconds: self.seconds - other.seconds,
            nanoseconds: Int64(self.nanoseconds) - Int64(other.nanoseconds))
    }
}

extension Timestamp {
    /// Parses RFC 3339: `2009-02-13T23:31:30.5Z`, `2009-02-13T23:31:30+02:00`.
    public init?(_ text: String) {
        var reader = DigitReader(text)
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let day = reader.number(2), reader.take("T") || reader.take("t"), let hour = reader.number(2),
            reader.take(":"), let minute = reader.number(2), reader.take(":"), let second = reader.number(2),
            (1...12).contains(month), (1...CivilDate.days(in: month, of: year)).contains(day), hour < 24, minute < 60,
            second < 60
        else { return nil }
        var nanoseconds: Int32 = 0
        if reader.take(".") {
            guard let fraction = reader.fraction() else { return nil }
            nanoseconds = fraction
        }
        guard let offset = reader.zone(), reader.isAtEnd else { return nil }
        let days = CivilDate.days(year: year, month: month, day: day)
        self.init(
            unixSeconds: Int64(days * 86_400 + hour * 3600 + minute * 60 + second - offset), nanoseconds: nanoseconds)
    }
}

extension Timestamp: CustomStringConvertible {
    /// The timestamp in UTC as RFC 3339, with as many digits of a fraction as it needs.
    public var description: String {
        let date = CivilDate(self, offset: 0)
        let year = String(date.year)
        return String(repeating: "0", count: max(0, 4 - year.count)) + year + "-" + Self.two(date.month) + "-"
            + Self.two(date.day) + "T" + Self.two(date.hour) + ":" + Self.two(date.minute) + ":"
            + Self.two(date.second) + Duration.fraction(self.nanoseconds) + "Z"
    }

    private static func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

/// A date of the Gregorian calendar with the time of day.
struct CivilDate {
    /// The year, month (1 to 12) and day of the month (1 to 31).
    var year, month, day: Int
    /// The time of day.
    var hour, minute, second: Int
    /// The day of the week, 0 for Sunday.
    var weekday: Int
    /// The day of the year, starting at 0.
    var dayOfYear: Int {
        Self.days(year: self.year, month: self.month, day: self.day) - Self.days(year: self.year, month: 1, day: 1)
    }

    /// Finds the date of a timestamp at an offset from UTC in seconds.
    init(_ timestamp: Timestamp, offset: Int) {
        let seconds = Int(timestamp.seconds) + offset
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = seconds - days * 86_400
        (self.hour, self.minute, self.second) = (rest / 3600, rest / 60 % 60, rest % 60)
        self.weekday = ((days + 4) % 7 + 7) % 7
        // Days since 0000-03-01, in eras of 400 years, so that the leap day is the last day of a year.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let day = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * day + 2) / 153
        self.day = day - (153 * month + 2) / 5 + 1
        self.month = month < 10 ? month + 3 : month - 9
        self.year = yearOfEra + era * 400 + (self.month <= 2 ? 1 : 0)
    }

    /// The days from 1970-01-01 to a date.
    static func days(year: Int, month: Int, day: Int) -> Int {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// The number of days of a month.
    static func days(in month: Int, of year: Int) -> Int {
        if month == 2 { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28 }
        return [4, 6, 9, 11].contains(month) ? 30 : 31
    }
}
