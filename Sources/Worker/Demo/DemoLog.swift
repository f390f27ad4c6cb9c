import Logging
import StageKit

/// Keeps the worker's log from disturbing the screen: warnings are counted, the last lines are kept.
final class DemoLog: Sendable {
    private let lines = OrderedMutex<(errors: [String], warnings: Int)>(([], 0))

    /// Lines kept: what fits under the picture.
    private static let keptLimit = 3

    /// Takes a line.
    func add(_ line: String, level: Logger.Level) {
        self.lines.withLock { lines in
            if level < .error { lines.warnings += 1 }
            if level >= .error { lines.errors = (lines.errors + [line]).suffix(Self.keptLimit) }
        }
    }

    /// The last errors, the oldest first.
    var errors: [String] { self.lines.withLock { $0.errors } }

    /// Number of warnings.
    var warnings: Int { self.lines.withLock { $0.warnings } }
}

/// Hands log lines to a `DemoLog`.
struct DemoLogHandler: LogHandler {
    /// Where lines go.
    let log: DemoLog
    /// The handler's own metadata.
    var metadata: Logger.Metadata = [:]
    /// The least level that is taken.
    var logLevel: Logger.Level = .warning

    init(log: DemoLog) {
        self.log = log
    }

    /// The handler's own metadata under a key.
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Takes one event.
    func log(event: LogEvent) {
        let error = event.metadata?["error"].map { ": \($0)" } ?? ""
        self.log.add("\(event.message)\(error)", level: event.level)
    }
}
