import StageKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The destination of log lines: complete lines, one at a time, unbuffered, from any thread.
///
/// All handlers of a worker share one output, so that their lines do not mix.
package final class LogOutput: Sendable {
    /// Maximum bytes of one text in a line: entries may be megabytes, and the log must not fill the disk.
    package static let textLimit = 4096

    /// The time now, in milliseconds since 1970.
    package let now: @Sendable () -> Int64

    private let sink: OrderedMutex<@Sendable ([UInt8]) -> Void>

    /// Creates an output; `sink` is called with one complete line at a time, never concurrently.
    package init(
        now: @escaping @Sendable () -> Int64 = LogTime.now, sink: @escaping @Sendable (_ line: [UInt8]) -> Void
    ) {
        self.now = now
        self.sink = OrderedMutex(sink)
    }

    /// Creates an output to standard error. A reader that stops reading loses lines, but delays the worker only
    /// briefly.
    package static func standardError() -> LogOutput {
        let writer = OrderedMutex(StalledWriter(descriptor: STDERR_FILENO))
        return LogOutput { line in writer.withLock { $0.write(line) } }
    }

    /// Writes a line; adds the line end.
    package func emit(line: [UInt8]) {
        self.sink.withLock { $0(line + [UInt8(ascii: "\n")]) }
    }
}

/// Timestamps of log lines.
package enum LogTime {
    /// Returns the system time in milliseconds since 1970.
    package static func now() -> Int64 {
        Int64((Date().timeIntervalSince1970 * 1000).rounded(.down))
    }

    /// Formats a time as `2023-11-14T22:13:20.000Z` (RFC 3339, UTC, milliseconds).
    ///
    /// Source of the calendar: Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    package static func text(_ milliseconds: Int64) -> String {
        let (days, inDay) = LogTime.divide(milliseconds, by: 86_400_000)
        let shifted = days + 719_468
        let (era, dayOfEra) = LogTime.divide(shifted, by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = "\(self.pad(year, 4))-\(self.pad(month, 2))-\(self.pad(day, 2))"
        let time =
            "\(self.pad(inDay / 3_600_000, 2)):\(self.pad(inDay / 60000 % 60, 2)):\(self.pad(inDay / 1000 % 60, 2))"
        return "\(date)T\(time).\(self.pad(inDay % 1000, 3))Z"
    }

    /// Returns quotient and remainder; the remainder is never negative.
    private static func divide(_ value: Int64, by divisor: Int64) -> (Int64, Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    private static func pad(_ value: Int64, _ width: Int) -> String {
        let digits = "\(value)"
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
