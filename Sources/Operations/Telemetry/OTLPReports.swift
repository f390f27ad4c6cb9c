/// Decides which failed exports are logged: the first one, one with another error, and one per interval while they last.
/// Pure.
struct OTLPReports: Sendable {
    /// The least time between two lines about the same error: a collector may be down for days.
    static let interval = Duration.seconds(600)

    /// What can fail, each with its own lines.
    enum Subject: Hashable, Sendable {
        /// Exports of a signal.
        case exports(OTLPSignal)
        /// Parts of exports that are otherwise accepted.
        case parts(OTLPSignal)
    }

    private struct Failing: Sendable {
        var problem: String
        var logged: ContinuousClock.Instant
        var count: UInt64
    }

    private var failing: [Subject: Failing] = [:]

    /// Records a failure.
    ///
    /// - Returns: The number of failures in a row, if this one is logged.
    mutating func failed(_ subject: Subject, _ problem: String, at now: ContinuousClock.Instant) -> UInt64? {
        let count = (self.failing[subject]?.count ?? 0) + 1
        if let last = self.failing[subject], last.problem == problem, now - last.logged < Self.interval {
            self.failing[subject]?.count = count
            return nil
        }
        self.failing[subject] = Failing(problem: problem, logged: now, count: count)
        return count
    }

    /// Records a success, and returns the number of failures in a row before it.
    mutating func succeeded(_ subject: Subject) -> UInt64 {
        self.failing.removeValue(forKey: subject)?.count ?? 0
    }
}

/// What is sent to a collector.
enum OTLPSignal: String, CaseIterable, Sendable {
    case traces, metrics
}
