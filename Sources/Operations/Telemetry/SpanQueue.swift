import StageKit

/// The spans that wait to be sent to a collector.
///
/// Callable from any thread. Spans are not worth waiting for a collector: beyond a limit they are dropped and counted.
final class SpanQueue: SpanSink {
    /// The maximum number of spans that wait: 40 s of the traces that are recorded.
    static let limit = 4096
    /// The maximum number of spans in one request.
    static let requestLimit = 512
    /// The maximum bytes of spans that wait. A usual span has about 500; one with many long errors has 100,000.
    static let byteLimit = 8 << 20
    /// The maximum bytes of spans in one request, unless it has only one: collectors refuse requests of 20 MiB.
    static let requestByteLimit = 2 << 20

    private struct State {
        var spans: [[UInt8]] = []
        var bytes = 0
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
            guard state.spans.count < Self.limit, state.bytes + text.count <= Self.byteLimit else {
                return state.dropped += 1
            }
            state.spans.append(text)
            state.bytes += text.count
        }
    }

    /// Returns the oldest spans, as many as a request can have, and removes them from the queue; or returns none.
    func take() -> [[UInt8]] {
        self.state.withLock { state in
            var count = 0
            var bytes = 0
            for span in state.spans.prefix(Self.requestLimit) {
                if count > 0, bytes + span.count > Self.requestByteLimit { break }
                count += 1
                bytes += span.count
            }
            let spans = Array(state.spans.prefix(count))
            state.spans.removeFirst(count)
            state.bytes -= bytes
            return spans
        }
    }

    /// Puts spans that were taken, but not sent, back in front of the others. The limits may be exceeded by these spans.
    func putBack(_ spans: [[UInt8]]) {
        self.state.withLock { state in
            state.spans.insert(contentsOf: spans, at: 0)
            state.bytes += spans.reduce(0) { $0 + $1.count }
        }
    }

    /// Counts spans that were taken as dropped.
    func drop(_ spans: [[UInt8]]) {
        self.state.withLock { $0.dropped += UInt64(spans.count) }
    }

    /// Drops all spans that wait, and returns their number.
    func dropAll() -> Int {
        self.state.withLock { state in
            let count = state.spans.count
            state.dropped += UInt64(count)
            (state.spans, state.bytes) = ([], 0)
            return count
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
