package import Logging

/// Logs responses to an operator: the result of a signal, reload, start or stop.
///
/// Everything that a stream or a network can cause repeatedly is logged through a `Logger`, whose repeated lines a
/// worker suppresses. The operator needs a response every time, so these lines carry a source of their own, by which
/// they are recognised however many handlers they pass.
package struct OperatorLog: Sendable {
    /// The source of these lines (`LogEvent.source`).
    package static let source = "operator"

    private let logger: Logger

    /// Creates a log that writes through a logger.
    fileprivate init(_ logger: Logger) {
        self.logger = logger
    }

    /// Logs a line of the level notice.
    package func notice(_ message: Logger.Message, metadata: Logger.Metadata? = nil) {
        self.log(level: .notice, message, metadata: metadata)
    }

    /// Logs a line of the level warning.
    package func warning(_ message: Logger.Message, metadata: Logger.Metadata? = nil) {
        self.log(level: .warning, message, metadata: metadata)
    }

    /// Logs a line of the level error.
    package func error(_ message: Logger.Message, metadata: Logger.Metadata? = nil) {
        self.log(level: .error, message, metadata: metadata)
    }

    /// Logs a line of a level.
    package func log(level: Logger.Level, _ message: Logger.Message, metadata: Logger.Metadata? = nil) {
        self.logger.log(level: level, message, metadata: metadata, source: Self.source)
    }
}

extension Logger {
    /// Writes through this logger, without rate limiting: for responses to an operator.
    package var withoutRateLimit: OperatorLog { OperatorLog(self) }
}
