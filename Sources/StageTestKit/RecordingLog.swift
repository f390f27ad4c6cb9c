public import Logging
import StageKit

/// Records the lines that its loggers write.
public final class RecordingLog: Sendable {
    /// A line of the log.
    public struct Line: Sendable, Equatable {
        /// The name of the level: `warning`.
        public var level: String
        /// The message.
        public var message: String
        /// The metadata as text, including the logger's own.
        public var metadata: [String: String]

        /// Creates a line to compare with.
        public init(level: String, message: String, metadata: [String: String]) {
            self.level = level
            self.message = message
            self.metadata = metadata
        }
    }

    private let state = OrderedMutex<[Line]>([])

    /// Creates an empty log.
    public init() {}

    /// The lines so far, in order.
    public var lines: [Line] { self.state.withLock(\.self) }

    /// Returns a logger that writes to this log, from `level` up.
    public func logger(label: String, level: Logger.Level = .trace) -> Logger {
        Logger(label: label) { _ in RecordingLogHandler(log: self, logLevel: level) }
    }

    fileprivate func append(_ line: Line) {
        self.state.withLock { $0.append(line) }
    }
}

/// Writes a logger's lines to a `RecordingLog`.
public struct RecordingLogHandler: LogHandler {
    /// The log that receives the lines.
    public let log: RecordingLog
    /// The minimum level; lines below it are discarded.
    public var logLevel: Logger.Level
    /// Metadata of every line.
    public var metadata: Logger.Metadata = [:]

    /// Creates a handler that writes to `log`, from `logLevel` up.
    public init(log: RecordingLog, logLevel: Logger.Level) {
        self.log = log
        self.logLevel = logLevel
    }

    /// Accesses a value of the metadata of every line.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    /// Records a line.
    public func log(event: LogEvent) {
        let all = self.metadata.merging(event.metadata ?? [:]) { _, own in own }
        let line = RecordingLog.Line(
            level: event.level.rawValue, message: event.message.description, metadata: all.mapValues(\.description))
        self.log.append(line)
    }
}
