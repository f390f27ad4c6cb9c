import StageKit
import Synchronization
package import Tracing

/// A tracer that passes spans to a destination when they end.
package struct SpanTracer: Tracer {
    /// The destination of spans.
    let sink: any SpanSink

    /// Creates a tracer.
    package init(sink: any SpanSink) {
        self.sink = sink
    }

    /// The trace and span of a context.
    struct Identity: Sendable {
        /// The trace, 32 hexadecimal digits.
        var trace: String
        /// The span, 16 hexadecimal digits.
        var span: String
        /// Whether the trace is written.
        var isWritten: Bool
    }

    private enum IdentityKey: InstrumentationContextKey {
        typealias Value = Identity
    }

    /// Starts a child span of the context's span, or a new trace if there is none.
    package func startSpan<Instant: TracerInstant>(
        _ operationName: String, context: @autoclosure () -> InstrumentationContext, ofKind kind: SpanKind,
        at instant: @autoclosure () -> Instant, function: String, file fileID: String, line: UInt
    ) -> RecordedSpan {
        var context = context()
        let parent = context[IdentityKey.self]
        let start = instant().nanosecondsSinceEpoch
        let identity = Identity(
            trace: parent?.trace ?? Self.digits() + Self.digits(), span: Self.digits(),
            isWritten: parent?.isWritten ?? self.sink.admitsTrace(at: start))
        context[IdentityKey.self] = identity
        return RecordedSpan(
            SpanData(
                name: operationName, kind: kind, identity: identity, parent: parent?.span, start: start),
            context: context, sink: self.sink)
    }

    /// Does nothing: spans are written when they end.
    package func forceFlush() {}

    /// Does nothing: no stage propagates its trace to another service.
    package func inject<Carrier, Inject: Injector>(
        _ context: InstrumentationContext, into carrier: inout Carrier, using injector: Inject
    ) where Inject.Carrier == Carrier {}

    /// Does nothing: entries carry no trace.
    package func extract<Carrier, Extract: Extractor>(
        _ carrier: Carrier, into context: inout InstrumentationContext, using extractor: Extract
    ) where Extract.Carrier == Carrier {}

    /// Returns sixteen random hexadecimal digits, not all 0.
    private static func digits() -> String {
        let text = String(UInt64.random(in: 1...UInt64.max), radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}

/// A span that is passed on when it ends.
package final class RecordedSpan: Span {
    /// The context that identifies the span to its children.
    package let context: InstrumentationContext

    private let data: Mutex<SpanData>
    private let sink: any SpanSink

    /// Creates a started span.
    init(_ data: SpanData, context: InstrumentationContext, sink: any SpanSink) {
        self.data = Mutex(data)
        self.context = context
        self.sink = sink
    }

    /// The span's name.
    package var operationName: String {
        get { self.data.withLock(\.name) }
        set { self.data.withLock { $0.name = newValue } }
    }

    /// The span's attributes.
    package var attributes: SpanAttributes {
        get { self.data.withLock(\.attributes) }
        set { self.data.withLock { $0.attributes = newValue } }
    }

    /// Whether the span is written.
    package var isRecording: Bool { self.data.withLock(\.identity.isWritten) }

    /// Sets the span's status.
    package func setStatus(_ status: SpanStatus) {
        self.data.withLock { $0.status = status }
    }

    /// Adds an event; those beyond a limit are only counted.
    package func addEvent(_ event: SpanEvent) {
        self.data.withLock { data in
            guard data.events.count < SpanData.eventLimit else { return data.droppedEvents &+= 1 }
            data.events.append(event)
        }
    }

    /// Adds an error.
    package func recordError<Instant: TracerInstant>(
        _ error: any Error, attributes: SpanAttributes, at instant: @autoclosure () -> Instant
    ) {
        var attributes = attributes
        attributes["exception.message"] = "\(error)"
        self.addEvent(SpanEvent(name: "exception", at: instant(), attributes: attributes))
    }

    /// Does nothing: the worker creates no links.
    package func addLink(_ link: SpanLink) {}

    /// Writes the span; further calls do nothing.
    package func end<Instant: TracerInstant>(at instant: @autoclosure () -> Instant) {
        let end = instant().nanosecondsSinceEpoch
        let ended = self.data.withLock { data -> SpanData? in
            guard data.end == nil else { return nil }
            data.end = end
            return data
        }
        if let ended, ended.identity.isWritten { self.sink.write(ended) }
    }
}
