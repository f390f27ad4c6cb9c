import Logging
import StageKit

/// Keeps the worker's log from disturbing the screen: counts warnings and keeps the last lines.
final class DemoLog: Sendable {
    private let lines = OrderedMutex<(errors: [String], warnings: Int)>(([], 0))

    /// The number of lines kept: as many as fit under the view.
    private static let keptLimit = 3

    /// Records a line.
    func add(_ line: String, level: Logger.Level) {
        self.lines.withLock { lines in
            if level < .error { lines.warnings += 1 }
            if level >= .error { lines.errors = (lines.errors + [line]).suffix(Self.keptLimit) }
        }
    }

    /// The latest errors, oldest first.
    var errors: [String] { self.lines.withLock { $0.errors } }

    /// Number of warnings.
    var warnings: Int { self.lines.withLock { $0.warnings } }
}

/// Passes log lines to a `DemoLog`.
struct DemoLogHandler: LogHandler {
    /// The destination of lines.
    let log: DemoLog
    /// The handler's own metadata.
    var metadata: Logger.Metadata = [:]
    /// The minimum log level.
    var logLevel: Logger.Level = .warning

    init(log: DemoLog) {
        self.log = log
    }

    /// The handler's own metadata under a key.
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Records an event.
    func log(event: LogEvent) {
        let error = event.metadata?["error"].map { ": \($0)" } ?? ""
        self.log.add("\(event.message)\(error)", level: event.level)
    }
}
