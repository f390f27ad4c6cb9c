import Hummingbird
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import StageKit
import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(10))) struct ExportTests {
    @Test(
        "An export has one line per snapshot", arguments: [0, 1, 10_000])
    func whole(count: Int) async throws {
        let store = FixedStore("s", count: count, bytes: 50)
        let response = try await AdminFixture.serve(AdminFixture.context(stores: [store])) {
            try await RawClient.request($0, "/v1/export/s")
        }
        #expect(response.status == 200)
        #expect(response.headers["content-type"] == "application/x-ndjson")
        #expect(response.headers["x-sluice-snapshots"] == "\(count)")
        #expect(response.isWhole)
        var expected: [String] = []
        store.forEachSnapshot { expected.append(SnapshotJSON.text($0)) }
        #expect(response.body.split(separator: "\n").map(String.init) == expected)
    }

    @Test("A client that disconnects during an export harms nothing and frees its place")
    func abandoned() async throws {
        let store = FixedStore("s", count: 2_000, bytes: 50_000)
        try await AdminFixture.serve(AdminFixture.context(stores: [store])) { address in
            for _ in 0..<(AdminLimits.exports * 2) {
                _ = try await RawClient.exchange(
                    address, "GET /v1/export/s HTTP/1.1\r\nHost: x\r\n\r\n", closesAtOnce: true)
            }
            var status = 503
            // The server learns of a closed connection in its own time.
            while status == 503 { status = try await RawClient.request(address, "/v1/export/s", method: "HEAD").status }
            #expect(status == 200)
        }
    }

    @Test("No more exports run than the limit; an export that has finished makes room for the next")
    func limit() async throws {
        let exporter = SnapshotExporter()
        let store = FixedStore("s", count: 1, bytes: 1)
        var responses = try (0..<AdminLimits.exports).map { _ in try exporter.response(for: store) { nil } }
        #expect(throws: AdminFailure.unavailable("busy", "2 exports are running; try again when one has finished")) {
            try exporter.response(for: store) { nil }
        }
        responses.removeLast()
        responses.append(try exporter.response(for: store) { nil })
        #expect(responses.count == AdminLimits.exports)
        try await exporter.shutDown()
    }

    @Test("A stale store is not exported, and an export ends early if its store becomes stale")
    func stale() async throws {
        let store = FixedStore("s", count: 2_000, bytes: 5_000)
        let refused = try await AdminFixture.serve(AdminFixture.context(stores: [store], stale: "not confirmed")) {
            try await RawClient.request($0, "/v1/export/s")
        }
        #expect(refused.status == 503 && refused.body.contains("not confirmed"))
        let exporter = SnapshotExporter()
        let asked = OrderedMutex(0)
        let response = try exporter.response(for: store) {
            let count = asked.withLock { count in
                count += 1
                return count
            }
            return count > 2 ? AdminFailure.unavailable("stale", "not confirmed") : nil
        }
        await #expect(throws: AdminFailure.self) { try await response.body.write(Discarding()) }
        #expect(asked.withLock { $0 } == 3)
        try await exporter.shutDown()
    }

    @Test("An export that a shutdown cuts short is an error for its client")
    func stopped() async throws {
        let exporter = SnapshotExporter()
        let response = try exporter.response(for: FixedStore("s", count: 1, bytes: 1)) { nil }
        exporter.stop()
        await #expect(throws: ChunkPipe.Closed.self) { try await response.body.write(Discarding()) }
        try await exporter.shutDown()
    }

    @Test("A client that reads nothing for too long is disconnected; a slow reader is not")
    func stalled() throws {
        let channel = EmbeddedChannel(handler: StalledWriteHandler(limit: .seconds(10)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        for (isWritable, seconds, isOpen) in [(false, 9, true), (true, 20, true), (false, 9, true), (false, 10, false)]
        {
            channel.isWritable = isWritable
            channel.pipeline.fireChannelWritabilityChanged()
            channel.embeddedEventLoop.advanceTime(by: .seconds(Int64(seconds)))
            #expect(channel.isActive == isOpen)
        }
    }

    @Test("A request with a slow body is cut off; one that ends in time keeps its connection")
    func drippedBody() throws {
        let channel = EmbeddedChannel(handler: SlowRequestHandler(limit: .seconds(30)))
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let head = HTTPRequestPart.head(HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/"))
        let body = HTTPRequestPart.body(ByteBuffer(string: "x"))
        for (part, seconds, isOpen) in [
            (head, 29, true), (.end(nil), 60, true), (head, 10, true), (body, 10, true), (body, 9, true),
            (body, 1, false),
        ] {
            try channel.writeInbound(part)
            channel.embeddedEventLoop.advanceTime(by: .seconds(Int64(seconds)))
            #expect(channel.isActive == isOpen)
        }
    }

    private struct Discarding: ResponseBodyWriter {
        mutating func write(_ buffer: ByteBuffer) async throws {}
        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
    }

    @Test("A writer that is ahead waits for room and is notified when the reader disconnects")
    func pipe() async throws {
        let pipe = ChunkPipe()
        for _ in 0..<AdminLimits.exportChunksAhead { try pipe.write(.init()) }
        pipe.close()
        #expect(throws: ChunkPipe.Closed.self) { try pipe.write(.init()) }
        var count = 0
        for await _ in pipe.chunks { count += 1 }
        #expect(count == AdminLimits.exportChunksAhead)
    }
}
