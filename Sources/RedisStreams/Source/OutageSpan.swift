import RedisClient
import Tracing

/// A span from the loss of a connection, or the failure to open one, until the stream is read again. Records each
/// failed attempt.
struct OutageSpan {
    private var span: (any Span)?

    /// Records a failed attempt; the first one starts the span.
    mutating func failed(_ error: RedisError) {
        let span = self.span ?? InstrumentationSystem.tracer.startSpan("sluice.reconnect", context: .topLevel)
        span.recordError(error)
        self.span = span
    }

    /// Ends the span because the stream is read again.
    mutating func end() {
        self.span?.end()
        self.span = nil
    }
}
