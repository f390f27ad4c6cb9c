import Foundation
import RESP
import RedisClient
import Testing

/// The trace file of a worker that runs.
@Suite struct TraceTests {
    private struct Span: Decodable {
        var traceId: String
        var spanId: String
        var parentSpanId: String?
        var name: String
        var startTimeUnixNano: String
        var endTimeUnixNano: String
    }

    private struct Document: Decodable {
        struct Resource: Decodable { var scopeSpans: [Scope] }
        struct Scope: Decodable { var spans: [Span] }
        var resourceSpans: [Resource]
    }

    private func spans(_ folder: URL) -> [Span] {
        let data = (try? Data(contentsOf: folder.appendingPathComponent("trace"))) ?? Data()
        // The last line may not be whole yet.
        return data.split(separator: UInt8(ascii: "\n")).compactMap { line in
            try? JSONDecoder().decode(Document.self, from: Data(line))
        }.flatMap { $0.resourceSpans.flatMap { $0.scopeSpans.flatMap(\.spans) } }
    }

    @Test(
        "A worker with --trace writes spans of reads, batches, checkpoints and a reconnection, batches below their reads"
    )
    func course() async throws {
        try await withRedisServer { server in
            let arguments = [
                "--trace", "trace", "--set", "source.redis_stream.start=beginning", "--set",
                "checkpoint.path=checkpoint", "--set", "checkpoint.interval=50ms",
            ]
            try await withWorker(server, arguments) { process, folder in
                try await eventually("connected") { process.errors.contains("reading the stream") }
                try await withConnection(server.settings) { connection in
                    _ = try await connection.command(RESPCommand("XADD", "gateway:session_events", "5-1", "a", "b"))
                }
                try await eventually("a batch") { self.spans(folder).contains { $0.name == "sluice.batch" } }
                try await eventually("saved") { self.spans(folder).contains { $0.name == "sluice.checkpoint" } }
                server.kill()
                try await eventually("noticed") { process.errors.contains("lost the connection to the stream") }
                try await server.start()
                try await eventually("taken up again") { self.spans(folder).contains { $0.name == "sluice.reconnect" } }
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
                let spans = self.spans(folder)
                #expect(
                    Set(spans.map(\.name)) == ["sluice.read", "sluice.batch", "sluice.checkpoint", "sluice.reconnect"])
                for span in spans {
                    #expect(span.traceId.count == 32 && span.spanId.count == 16)
                    #expect(try #require(UInt64(span.startTimeUnixNano)) <= #require(UInt64(span.endTimeUnixNano)))
                }
                for batch in spans where batch.name == "sluice.batch" {
                    let read = try #require(spans.first { $0.spanId == batch.parentSpanId })
                    #expect(read.name == "sluice.read" && read.traceId == batch.traceId)
                }
            }
        }
    }
}
