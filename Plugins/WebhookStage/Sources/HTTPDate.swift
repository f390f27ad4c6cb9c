/// Parses the dates of HTTP headers.
///
/// Source: RFC 9110, section 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, and the obsolete forms `Sunday, 06-Nov-94 08:49:37
/// GMT` and `Sun Nov  6 08:49:37 1994`, which a recipient must accept.
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Returns the date in milliseconds since the epoch, or `nil` if the text is not an HTTP date.
    ///
    /// - Parameters:
    ///   - text: The header's value.
    ///   - now: The current time in milliseconds since the epoch. A year of two digits that would be more than 50 years
    ///     in the future is in the past.
    static func milliseconds(_ text: String, now: Int64) -> Int64? {
        let words = text.split(whereSeparator: { $0 == " " || $0 == "-" || $0 == "," }).map(String.init)
        switch words.count {
        case 6 where words[5] == "GMT" && text.contains(","):
            // Both forms with a comma have the same order: weekday, day, month, year, time, zone.
            return self.time(day: words[1], month: words[2], year: words[3], clock: words[4], now: now)
        case 5 where !text.contains(","):
            return self.time(day: words[2], month: words[1], year: words[4], clock: words[3], now: now)
        default: return nil
        }
    }

    private static func time(day: String, month: String, year: String, clock: String, now: Int64) -> Int64? {
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map { Self.number($0, digits: 2...2) }
        guard parts.count == 3, let hour = parts[0], let minute = parts[1], let second = parts[2],
            hour < 24, minute < 60, second <= 60,
            let day = Self.number(day[...], digits: 1...2), (1...31).contains(day),
            let month = self.months.firstIndex(of: month),
            var fullYear = Self.number(year[...], digits: 2...4), year.count != 3
        else { return nil }
        if year.count == 2 {
            let thisYear = 1970 + now / 31_556_952_000
            fullYear += thisYear - thisYear % 100
            if fullYear > thisYear + 50 { fullYear -= 100 }
        }
        let days = self.days(year: fullYear, month: Int64(month) + 1, day: day)
        return (days * 86_400 + hour * 3600 + minute * 60 + second) * 1000
    }

    private static func number(_ text: Substring, digits: ClosedRange<Int>) -> Int64? {
        guard digits.contains(text.count), text.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
        return Int64(text)
    }

    /// Returns the days since 1970-01-01 in the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date
    /// algorithms").
    private static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let year = month <= 2 ? year - 1 : year
        let era = (year >= 0 ? year : year - 399) / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }
}

/// The header `Retry-After` of an HTTP answer.
package enum RetryAfter {
    /// Returns the requested delay: a number of seconds, or an HTTP date, which may have passed. Returns `nil` for any
    /// other text.
    ///
    /// - Parameters:
    ///   - text: The header's value.
    ///   - now: The current time in milliseconds since the epoch.
    package static func delay(_ text: String, now: Int64) -> Duration? {
        if let seconds = UInt32(text) { return .seconds(Int64(seconds)) }
        return HTTPDate.milliseconds(text, now: now).map { .milliseconds(max(0, $0 - now)) }
    }
}
