/// The offsets of a time zone in all years, in the form of the environment variable TZ: `CET-1CEST,M3.5.0,M10.5.0/3`.
///
/// Source: POSIX.1, section 8.3, "Other Environment Variables", with the hours of RFC 8536, section 3.3.1.
struct RecurringOffsets: Sendable {
    /// A day of each year, and the time of day in seconds.
    private struct Change {
        enum Day {
            /// Day 1 to 365, without the leap day.
            case julian(Int)
            /// Day 0 to 365, with the leap day.
            case ordinal(Int)
            /// A weekday of a month; week 5 is the last one.
            case weekday(month: Int, week: Int, day: Int)
        }

        var day: Day
        var time: Int

        /// The seconds from 1970 to the change in a year, in local time.
        func seconds(in year: Int) -> Int {
            let start = CivilDate.days(year: year, month: 1, day: 1)
            switch self.day {
            case .ordinal(let day): return (start + day) * 86_400 + self.time
            case .julian(let day):
                let isAfterLeapDay = day >= 60 && CivilDate.days(in: 2, of: year) == 29
                return (start + day - (isAfterLeapDay ? 0 : 1)) * 86_400 + self.time
            case .weekday(let month, let week, let day):
                let first = CivilDate.days(year: year, month: month, day: 1)
                // 1970-01-01 was a Thursday.
                let weekday = ((first + 4) % 7 + 7) % 7
                var date = (day - weekday + 7) % 7 + (week - 1) * 7
                if date >= CivilDate.days(in: month, of: year) { date -= 7 }
                return (first + date) * 86_400 + self.time
            }
        }
    }

    private let standard: Int
    private let summer: (offset: Int, start: Change, end: Change)?

    /// Parses the text.
    ///
    /// - Returns: `nil` if the text does not have this form.
    init?(_ text: String) {
        var reader = Reader(rest: Array(text.utf8)[...])
        guard reader.skipName(), let standard = reader.hours(most: 24) else { return nil }
        self.standard = -standard
        if reader.rest.isEmpty {
            self.summer = nil
            return
        }
        guard reader.skipName() else { return nil }
        var summer = 3600 - standard
        if let next = reader.rest.first, next != UInt8(ascii: ",") {
            guard let offset = reader.hours(most: 24) else { return nil }
            summer = -offset
        }
        guard let start = reader.change(), let end = reader.change(), reader.rest.isEmpty else { return nil }
        self.summer = (summer, start, end)
    }

    /// Returns the offset at a time in seconds since 1970.
    func offset(at seconds: Int64) -> Int {
        guard let summer = self.summer else { return self.standard }
        let year = CivilDate(Timestamp(seconds: seconds), offset: self.standard).year
        let start = summer.start.seconds(in: year) - self.standard
        let end = summer.end.seconds(in: year) - summer.offset
        let time = Int(seconds)
        // In the southern hemisphere, summer begins in one year and ends in the next.
        let isSummer = start < end ? start <= time && time < end : !(end <= time && time < start)
        return isSummer ? summer.offset : self.standard
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        private mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard self.rest.first == UInt8(ascii: character) else { return false }
            self.rest.removeFirst()
            return true
        }

        private mutating func number(_ range: ClosedRange<Int>) -> Int? {
            var value: Int?
            while let byte = self.rest.first, (0x30...0x39).contains(byte), value ?? 0 < 1000 {
                value = (value ?? 0) * 10 + Int(byte - 0x30)
                self.rest.removeFirst()
            }
            return value.flatMap { range.contains($0) ? $0 : nil }
        }

        /// Skips a name: three or more letters, or anything in angle brackets.
        mutating func skipName() -> Bool {
            if self.take("<") {
                guard let end = self.rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
                self.rest = self.rest[(end + 1)...]
                return true
            }
            let name = self.rest.prefix { byte in Unicode.Scalar(byte).properties.isAlphabetic && byte < 0x80 }
            self.rest = self.rest.dropFirst(name.count)
            return name.count >= 3
        }

        /// Reads hours with optional minutes and seconds: `-5:45`, in seconds.
        mutating func hours(most: Int) -> Int? {
            let isNegative = self.take("-")
            if !isNegative { _ = self.take("+") }
            guard var seconds = self.number(0...most).map({ $0 * 3600 }) else { return nil }
            for unit in [60, 1] where self.take(":") {
                guard let part = self.number(0...59) else { return nil }
                seconds += part * unit
            }
            return isNegative ? -seconds : seconds
        }

        /// Reads a change: `,M3.5.0/-1`.
        mutating func change() -> Change? {
            guard self.take(",") else { return nil }
            let day: Change.Day
            if self.take("M") {
                guard let month = self.number(1...12), self.take("."), let week = self.number(1...5), self.take("."),
                    let weekday = self.number(0...6)
                else { return nil }
                day = .weekday(month: month, week: week, day: weekday)
            } else if self.take("J") {
                guard let number = self.number(1...365) else { return nil }
                day = .julian(number)
            } else {
                guard let number = self.number(0...365) else { return nil }
                day = .ordinal(number)
            }
            var time = 7200
            if self.take("/") {
                guard let given = self.hours(most: 167) else { return nil }
                time = given
            }
            return Change(day: day, time: time)
        }
    }
}
