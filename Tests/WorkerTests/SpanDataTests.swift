import Admin
import Foundation
import Testing
import Tracing

@testable import Operations

@Suite struct SpanDataTests {
    private func record() -> SpanData {
        SpanData(
            name: "sluice.batch", kind: .internal,
            identity: .init(trace: "0123456789abcdef0123456789abcdef", span: "0123456789abcdef", isWritten: true),
            parent: "fedcba9876543210", start: 1_700_000_000_000_000_001, end: 1_700_000_000_000_000_009)
    }

    @Test("A span is one line of OpenTelemetry's JSON, with its numbers as text and its identifiers in hexadecimal")
    func line() {
        var record = self.record()
        record.attributes["count"] = 5
        record.attributes["a \"name\""] = "x\ny"
        record.events = [SpanEvent(name: "exception", at: DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: 7))]
        record.status = SpanStatus(code: .error, message: "gone")
        #expect(
            String(decoding: record.line, as: UTF8.self)
                == #"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","#
                + #""value":{"stringValue":"sluice"}}]},"scopeSpans":[{"scope":{"name":"sluice"},"spans":[{"#
                + #""traceId":"0123456789abcdef0123456789abcdef","spanId":"0123456789abcdef","#
                + #""parentSpanId":"fedcba9876543210","name":"sluice.batch","kind":1,"#
                + #""startTimeUnixNano":"1700000000000000001","endTimeUnixNano":"1700000000000000009","#
                + #""attributes":[{"key":"a \"name\"","value":{"stringValue":"x\ny"}},"#
                + #"{"key":"count","value":{"intValue":"5"}}],"#
                + #""events":[{"timeUnixNano":"7","name":"exception","attributes":[]}],"#
                + #""status":{"code":2,"message":"gone"}}]}]}]}"#)
    }

    @Test("A limited number of traces per second is written, complete or not at all; a span ends once")
    func budget() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("trace-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = try TraceFile(path: path)
        let tracer = SpanTracer(sink: file)
        let extra = 30
        let moment = DefaultTracerClock.Timestamp(nanosecondsSinceEpoch: 5_000_000_000)
        for _ in 0..<TraceBudget.tracesPerSecond + extra {
            let root = tracer.startSpan("root", context: .topLevel, at: moment)
            let child = tracer.startSpan("child", context: root.context, at: moment)
            child.end()
            child.end()
            root.end()
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 2 * TraceBudget.tracesPerSecond)
        #expect(file.samples().map(\.value) == [Double(2 * TraceBudget.tracesPerSecond), Double(extra)])
    }

    @Test("A file that cannot be opened is reported")
    func unopened() {
        #expect(throws: TraceFile.Failure.self) { try TraceFile(path: "/nonexistent/trace") }
    }
}
