import ComponentKit
import Logging
import RedisClient

// Reports a connection to the stream that was lost or could not be opened, and that is retried.

extension SourceBoard {
    /// Records that there is no connection, and the error. Entries that were pending before still are; if none were,
    /// their number is unknown from now on.
    mutating func lost(_ error: RedisError) {
        self.status.state = .connecting
        self.status.lastError = error.message
        self.status.isCaughtUp = false
        if self.status.lagEntries == 0 { self.status.lagEntries = nil }
    }
}

extension Logger {
    /// Logs that a stream is retried after a delay, with additional metadata of the reader.
    func logRetry(of stream: String, after error: RedisError, in delay: Duration, _ more: Metadata) {
        let metadata: Metadata = ["stream": "\(stream)"]
        self.logRetry(
            "lost the connection to the stream: reconnecting", after: error, in: delay, metadata.merging(more) { $1 })
    }
}
