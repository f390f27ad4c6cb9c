import Logging
import StageKit

// What everybody is told when a connection to the stream is lost, or was not to be had, and is tried again.

extension SourceBoard {
    /// Shows that there is no connection, and why.
    mutating func lost(_ error: RedisError) {
        self.status.state = .connecting
        self.status.lastError = error.message
        self.status.isCaughtUp = false
    }
}

extension Logger {
    /// Warns that a stream is tried again after a delay, with what else the reader knows.
    func warnOfRetry(of stream: String, after error: RedisError, in delay: Duration, _ more: Metadata) {
        let metadata: Metadata = [
            "stream": "\(stream)", "error": "\(error)", "code": "\(error.code.rawValue)",
            "delay": "\(delay.microseconds / 1000)ms",
        ]
        self.warning("no connection to the stream: trying again", metadata: metadata.merging(more) { _, new in new })
    }
}
