/// A destination of ended spans. Callable from any thread; never waits.
package protocol SpanSink: Sendable {
    /// Returns whether a trace that begins now is recorded; `now` is in nanoseconds since 1970.
    func admitsTrace(at now: UInt64) -> Bool

    /// Takes an ended span.
    func write(_ span: SpanData)
}

/// Several destinations: a trace is recorded if one of them admits it, and goes to all.
package struct SpanSinks: SpanSink {
    /// The destinations.
    let sinks: [any SpanSink]

    /// Creates a destination from several.
    package init(_ sinks: [any SpanSink]) {
        self.sinks = sinks
    }

    /// Returns whether one of the destinations admits the trace.
    package func admitsTrace(at now: UInt64) -> Bool {
        // All are asked, because each counts the spans that it refuses.
        self.sinks.map { $0.admitsTrace(at: now) }.contains(true)
    }

    /// Passes the span to all destinations.
    package func write(_ span: SpanData) {
        for sink in self.sinks { sink.write(span) }
    }
}

/// The maximum number of traces per second: a busy worker has thousands of batches, and a few of them suffice to analyse
/// timing. Pure.
struct TraceBudget: Sendable {
    /// Traces per second.
    static let tracesPerSecond = 50

    private var second: Int64 = 0
    private var count = 0

    /// Returns whether a trace that begins now is recorded; `now` is in nanoseconds since 1970.
    mutating func admits(at now: UInt64) -> Bool {
        let second = Int64(now / 1_000_000_000)
        if self.second != second { (self.second, self.count) = (second, 0) }
        self.count += 1
        return self.count <= Self.tracesPerSecond
    }
}
