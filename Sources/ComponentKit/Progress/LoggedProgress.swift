package import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Logs the progress of long work in a worker: every 10 s, or every second if standard error is a terminal.
package struct LoggedProgress {
    private var progress: WorkProgress
    private let message: Logger.Message
    private let unit: String
    private let logger: Logger
    private let now: () -> ContinuousClock.Instant

    /// Creates the progress of work that starts now; work that is shorter than the interval logs nothing.
    ///
    /// - Parameters:
    ///   - message: The message of the lines.
    ///   - unit: The unit, in the plural; it is the key of the number that is done.
    ///   - total: The number of units, or `nil` if it is not known.
    ///   - logger: The logger.
    ///   - now: Returns the current time.
    package init(
        _ message: Logger.Message, unit: String, total: Int? = nil, logger: Logger,
        now: @escaping () -> ContinuousClock.Instant = { .now }
    ) {
        let destination: WorkProgress.Destination = isatty(STDERR_FILENO) == 1 ? .terminal : .log
        self.progress = WorkProgress(destination, total: total, at: now())
        self.now = now
        self.message = message
        self.unit = unit
        self.logger = logger
    }

    /// Records how much is done, and logs a line if one is due; see `WorkProgress.update`.
    ///
    /// - Returns: Whether a line was logged.
    @discardableResult
    package mutating func update(_ done: Int, fraction: Double? = nil) -> Bool {
        guard let report = self.progress.update(done, fraction: fraction, at: self.now()) else { return false }
        self.logger.notice(self.message, metadata: report.metadata(self.unit))
        return true
    }
}
