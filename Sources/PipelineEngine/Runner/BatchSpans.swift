import StageKit
import Tracing

/// Spans of a run, two for each batch: the wait for it, and its processing. Used by the run's thread.
///
/// Names and attributes follow OpenTelemetry's conventions for messaging. There are no spans for single events, because
/// a span costs more than processing most events.
final class BatchSpans {
    private let tracer: any Tracer
    private let stream: String
    private let system: String
    private var waitsSince = DefaultTracerClock.now

    /// Creates the spans of a run that begins now; returns `nil` if tracing is off, so that a batch costs nothing.
    init?(stream: String, system: String) {
        let tracer = InstrumentationSystem.tracer
        if tracer is NoOpTracer { return nil }
        self.tracer = tracer
        self.stream = stream
        self.system = system
    }

    /// Processes a batch within a span, after a span for the time since the previous batch.
    func around(_ batch: EventBatch, _ process: () async throws -> Void) async throws {
        let wait = self.tracer.startSpan("sluice.read", context: .topLevel, ofKind: .consumer, at: self.waitsSince)
        wait.attributes["messaging.system"] = self.system
        wait.attributes["messaging.destination.name"] = self.stream
        wait.attributes["messaging.batch.message_count"] = batch.count
        wait.end()
        let work = self.tracer.startSpan("sluice.batch", context: wait.context, ofKind: .internal)
        work.attributes["messaging.batch.message_count"] = batch.count
        if batch.count > 0 {
            work.attributes["sluice.entry.first"] = "\(batch.withEvent(at: 0) { $0.id })"
            work.attributes["sluice.entry.last"] = "\(batch.withEvent(at: batch.count - 1) { $0.id })"
        }
        defer {
            work.end()
            self.waitsSince = DefaultTracerClock.now
        }
        do {
            try await process()
        } catch {
            work.recordError(error)
            work.setStatus(SpanStatus(code: .error, message: "\(error)"))
            throw error
        }
    }
}
