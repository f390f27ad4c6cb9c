import StageKit

/// The spans that wait to be sent to a collector.
///
/// Callable from any thread. Spans are not worth waiting for a collector: beyond `limit` they are dropped and counted.
final class SpanQueue: SpanSink {
    /// The maximum number of spans that wait: about two megabytes, and 40 s of the traces that are recorded.
    static let limit = 4096
    /// The maximum number of spans in one request.
    static let requestLimit = 512

    private struct State {
        var spans: [[UInt8]] = []
        var budget = TraceBudget()
        var dropped: UInt64 = 0
    }

    private let state = OrderedMutex(State())

    /// Creates an empty queue.
    init() {}

    /// The number of spans and traces that were dropped.
    var dropped: UInt64 { self.state.withLock(\.dropped) }

    /// Whether a trace that begins now is recorded; `now` is in nanoseconds since 1970.
    func admitsTrace(at now: UInt64) -> Bool {
        self.state.withLock { state in
            let isAdmitted = state.budget.admits(at: now)
            if !isAdmitted { state.dropped += 1 }
            return isAdmitted
        }
    }

    /// Adds an ended span.
    func write(_ span: SpanData) {
        let text = span.object
        self.state.withLock { state in
            guard state.spans.count < Self.limit else { return state.dropped += 1 }
            state.spans.append(text)
        }
    }

    /// Returns the oldest spans and removes them from the queue, or returns none.
    func take() -> [[UInt8]] {
        self.state.withLock { state in
            let spans = Array(state.spans.prefix(Self.requestLimit))
            state.spans.removeFirst(spans.count)
            return spans
        }
    }

    /// Returns an export request for spans.
    static func request(_ spans: [[UInt8]], resource: OTLPResource) -> [UInt8] {
        var text = Array(#"{"resourceSpans":[{"resource":"#.utf8)
        resource.append(to: &text)
        text += Array(#","scopeSpans":[{"scope":{"name":"sluice"},"spans":["#.utf8)
        text += spans.joined(separator: [UInt8(ascii: ",")])
        return text + Array("]}]}]}".utf8)
    }
}
