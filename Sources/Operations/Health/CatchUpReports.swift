import ComponentKit
package import Logging
package import PipelineEngine
import ServiceLifecycle

/// Logs how far a worker is that started behind the end of its stream, until it has caught up for the first time.
package struct CatchUpReports: Service {
    /// The time between two looks at the source.
    private static let interval = Duration.seconds(1)

    private let pipeline: Pipeline
    private let logger: Logger

    /// Creates the service.
    package init(pipeline: Pipeline, logger: Logger) {
        self.pipeline = pipeline
        self.logger = logger
    }

    /// Reports the progress, then waits for a graceful shutdown.
    package func run() async throws {
        var progress = CatchUpProgress(logger: self.logger)
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            let (read, status) = (self.pipeline.statistics.read, self.pipeline.status)
            if progress.update(read: Int(clamping: read), status) { break }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
        }
        try? await gracefulShutdown()
    }
}

/// The progress of catching up with a stream. Reads no status and waits for nothing.
struct CatchUpProgress {
    private var progress: LoggedProgress
    private var isShown = false
    private let logger: Logger
    private let now: () -> ContinuousClock.Instant
    private let start: ContinuousClock.Instant

    /// Creates the progress of a worker that starts now; a short one logs nothing.
    init(logger: Logger, now: @escaping () -> ContinuousClock.Instant = { .now }) {
        self.progress = LoggedProgress("catching up with the stream", unit: "entries", logger: logger, now: now)
        self.logger = logger
        self.now = now
        self.start = now()
    }

    /// Records the state of the source; `read` is the number of entries that were read since the start.
    ///
    /// - Returns: Whether the source has caught up, so that there is nothing more to report.
    mutating func update(read: Int, _ status: SourceStatus) -> Bool {
        // A bootstrap from keys, during which no lag is known, reports its own progress. Without a connection, there is none.
        guard status.state == .reading, !status.isFilling || status.lagEntries != nil else { return false }
        if status.isCaughtUp {
            if self.isShown {
                let time = self.now() - self.start
                self.logger.notice(
                    "caught up with the stream",
                    metadata: ["entries": "\(read)", "milliseconds": "\(time.components.seconds * 1000)"])
            }
            return true
        }
        let fraction = status.lagEntries.map { Double(read) / max(1, Double(read) + Double($0)) }
        if self.progress.update(read, fraction: fraction) { self.isShown = true }
        return false
    }
}
