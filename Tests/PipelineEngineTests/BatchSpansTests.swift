import InMemoryTracing
import StageKit
import StageTestKit
import Testing
import Tracing

@testable import PipelineEngine

@Suite struct BatchSpansTests {
    @Test("Without tracing, a batch has no spans")
    func off() {
        #expect(BatchSpans(stream: "s", system: "kafka") == nil)
    }

    @Test("A batch's span is a child of the read's span; an error that ends the run is recorded")
    func spans() async throws {
        let tracer = InMemoryTracer()
        try await withTracer(tracer) {
            let spans = try #require(BatchSpans(stream: "orders", system: "kafka"))
            let batch = EventBatch()
            try await spans.around(batch) {}
            await #expect(throws: CancellationError.self) {
                try await spans.around(batch) { throw CancellationError() }
            }
        }
        let finished = tracer.finishedSpans
        #expect(finished.map(\.operationName) == ["sluice.read", "sluice.batch", "sluice.read", "sluice.batch"])
        #expect(finished[1].parentSpanID == finished[0].spanID && finished[1].traceID == finished[0].traceID)
        #expect(finished[2].parentSpanID == nil && finished[2].traceID != finished[0].traceID)
        #expect(finished.map(\.errors.count) == [0, 0, 0, 1])
        #expect(finished[0].attributes.get("messaging.destination.name") == .string("orders"))
        #expect(finished[0].attributes.get("messaging.system") == .string("kafka"))
    }
}
