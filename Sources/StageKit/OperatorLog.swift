package import Logging

/// A log handler that holds back repeated lines.
///
/// Anything that a stream or a network can repeat is logged through it. An answer to an operator (the result of a signal,
/// of a reload, of a start or of a stop) is logged through ``Logging/Logger/withoutRateLimit`` instead: an operator who
/// acts for the hundredth time needs the hundredth answer.
package protocol RateLimitingLogHandler: LogHandler {
    /// The same handler, with the same level and metadata, that writes every line.
    var withoutRateLimit: any LogHandler { get }
}

extension Logger {
    /// The same logger, for answers to an operator: no rate limit applies to its lines.
    package var withoutRateLimit: Logger {
        guard let limiting = self.handler as? any RateLimitingLogHandler else { return self }
        return Logger(label: self.label) { _ in limiting.withoutRateLimit }
    }
}
