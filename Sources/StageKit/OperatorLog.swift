package import Logging

/// A log handler that suppresses repeated lines.
///
/// Everything that a stream or a network can cause repeatedly is logged through it. Responses to an operator (the
/// result of a signal, reload, start or stop) are logged through ``Logging/Logger/withoutRateLimit`` instead: the
/// operator needs a response every time.
package protocol RateLimitingLogHandler: LogHandler {
    /// The same handler, with the same level and metadata, without rate limiting.
    var withoutRateLimit: any LogHandler { get }
}

extension Logger {
    /// The same logger without rate limiting, for responses to an operator.
    package var withoutRateLimit: Logger {
        guard let limiting = self.handler as? any RateLimitingLogHandler else { return self }
        return Logger(label: self.label) { _ in limiting.withoutRateLimit }
    }
}
