package import Logging
import StageKit

/// The progress of long work: decides when it is reported, and computes the rate and the time left. Does no I/O.
package struct WorkProgress: Sendable {
    /// Where reports go, which decides how often.
    package enum Destination: Sendable, Equatable {
        /// A terminal, which a person watches.
        case terminal
        /// A log, which has many other readers.
        case log

        /// The least time between two reports, and before the first one: shorter work reports nothing.
        package var interval: Duration {
            switch self {
            case .terminal: .seconds(1)
            case .log: .seconds(10)
            }
        }
    }

    /// The progress at one moment.
    package struct Report: Sendable, Equatable {
        /// The number of units that are done.
        package var done: Int
        /// Units per second since the previous report.
        package var perSecond: Double
        /// The part that is done, from 0 to 1, or `nil` if it is not known.
        package var fraction: Double?
        /// The time left if work continues at its average speed, or `nil` if it is not known.
        package var left: Duration?
    }

    /// The time of a report and what was done then.
    private struct Mark {
        var time: ContinuousClock.Instant
        var done: Int
    }

    private let interval: Duration
    private let total: Int?
    private let start: ContinuousClock.Instant
    private var last: Mark
    private var fraction = 0.0
    /// Whether no fraction was lower than an earlier one.
    private var isSteady = true

    /// Creates the progress of work that starts now.
    ///
    /// - Parameters:
    ///   - destination: Where reports go.
    ///   - total: The number of units, or `nil` if it is not known.
    ///   - start: The current time.
    package init(_ destination: Destination, total: Int? = nil, at start: ContinuousClock.Instant) {
        self.interval = destination.interval
        self.total = total
        self.start = start
        self.last = Mark(time: start, done: 0)
    }

    /// Records how much is done.
    ///
    /// - Parameters:
    ///   - done: The number of units that are done.
    ///   - fraction: An estimate of the part that is done, from 0 to 1, for work whose total is not known. If it ever
    ///     decreases, estimates are ignored from then on.
    ///   - now: The current time.
    /// - Returns: What to report, or `nil` if the last report is too recent.
    package mutating func update(
        _ done: Int, fraction: Double? = nil, at now: ContinuousClock.Instant
    ) -> Report? {
        let known = self.total.map { $0 > 0 ? Double(done) / Double($0) : 1 } ?? fraction
        if let known {
            if known < self.fraction { self.isSteady = false }
            self.fraction = max(self.fraction, min(known, 1))
        }
        let time = now - self.last.time
        guard time >= self.interval else { return nil }
        var report = Report(done: done, perSecond: Double(done - self.last.done) / time.seconds)
        if known != nil, self.isSteady {
            report.fraction = self.fraction
            if self.fraction > 0 {
                let left = (now - self.start).seconds * (1 - self.fraction) / self.fraction
                // Longer estimates mean nothing, and the conversion must not overflow.
                if left < Self.longestEstimate { report.left = .seconds(Int64(left.rounded())) }
            }
        }
        self.last = Mark(time: now, done: done)
        return report
    }

    /// The longest time left that is reported, in seconds.
    private static let longestEstimate = 30.0 * 24 * 3600
}

extension WorkProgress.Report {
    /// The report for people: `120000 keys, 4000/s, 25%, 90 s left`.
    package func text(_ unit: String) -> String {
        var text = "\(self.done) \(unit), \(Self.rate(self.perSecond))/s"
        if let fraction { text += ", \(Self.percent(fraction))%" }
        if let left { text += ", \(Self.time(left)) left" }
        return text
    }

    /// The report for a log line; the key of the number is the name of the unit.
    package func metadata(_ unit: String) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            unit: .stringConvertible(self.done), "per_second": .stringConvertible(Int(self.perSecond.rounded())),
        ]
        if let fraction { metadata["percent"] = .stringConvertible(Self.percent(fraction)) }
        if let left { metadata["seconds_left"] = .stringConvertible(left.components.seconds) }
        return metadata
    }

    /// 100 is kept for work that is done.
    private static func percent(_ fraction: Double) -> Int { fraction >= 1 ? 100 : min(99, Int(fraction * 100)) }

    private static func rate(_ perSecond: Double) -> String {
        // Slow work, such as a few experiments per minute, keeps two digits.
        if perSecond >= 10 { return "\(Int(perSecond.rounded()))" }
        let hundredths = Int((perSecond * 100).rounded())
        let digits = hundredths % 100
        return digits == 0 ? "\(hundredths / 100)" : "\(hundredths / 100).\(digits < 10 ? "0" : "")\(digits)"
    }

    private static func time(_ left: Duration) -> String {
        let seconds = left.components.seconds
        switch seconds {
        case ..<120: return "\(seconds) s"
        case ..<7200: return "\(seconds / 60) min"
        default: return "\(seconds / 3600) h"
        }
    }
}
