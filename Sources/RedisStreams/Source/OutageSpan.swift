import Tracing

/// A span from when a connection was lost, or could not be had, until the stream is read again, with each failed attempt.
struct OutageSpan {
    private var span: (any Span)?

    /// An attempt has failed; the first one begins the span.
    mutating func failed(_ error: RedisError) {
        let span = self.span ?? InstrumentationSystem.tracer.startSpan("sluice.reconnect", context: .topLevel)
        span.recordError(error)
        self.span = span
    }

    /// The stream is read again.
    mutating func end() {
        self.span?.end()
        self.span = nil
    }
}
