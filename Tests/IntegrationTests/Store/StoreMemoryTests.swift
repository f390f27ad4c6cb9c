import PipelineEngine
import RESP
import RedisClient
import StageKit
import StageTestKit
import Testing
import Worker

/// A redis store whose server has reached its memory limit: no session stays active in a state that the stream has
/// replaced, and the worker goes on.
@Suite(.timeLimit(.minutes(5))) struct StoreMemoryTests {
    private func file(_ server: RedisServer, failure: String) -> String {
        """
        pipeline: p
        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
        source: { redis_stream: { stream: s, start: beginning, read_block: 100ms } }
        stores: { a: { redis: { key: id } } }
        stages:
          - decode: { event: e, fields: { id: { required: true }, status: { required: true } } }
          - upsert: { store: a }
        \(failure)
        """
    }

    private static let drop = ""
    private static let evict = """
            on_failure: out
        branches: { out: [{ evict: { store: a, key: id } }] }
        """
    private static let retry = "    on_failure: { retry: { attempts: 100, backoff: 10ms, max_backoff: 50ms } }\n"

    private func add(_ id: String, _ status: String, _ entry: String, _ connection: RedisConnection) async throws {
        _ = try await connection.command(RESPCommand("XADD", "s", entry, "id", id, "status", status))
    }

    /// The status that programs find in the store.
    private func status(_ id: String, _ connection: RedisConnection) async throws -> String? {
        let fields = try await connection.command(RESPCommand("HMGET", "a:\(id)", "_entry", "status")).array ?? []
        return fields.first == .null ? nil : fields.last?.string
    }

    @Test(
        "A snapshot without memory fails, its key is removed and announced, and others are served",
        arguments: [(drop, "dropped"), (evict, "evicted")])
    func full(failure: String, outcome: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for id in ["x", "y"] { try await self.add(id, "active", id == "x" ? "1-0" : "2-0", connection) }
                let (handler, log) = (RecordingRevocationHandler(), RecordingLog())
                let services = PipelineServices(logger: log.logger(label: "test"), revocationHandler: handler)
                try await withPipeline(self.file(server, failure: failure), services: services) { pipeline in
                    try await pipeline.untilDone(2)
                    // The entries are there before the memory is gone; the group of both commands is one transaction.
                    let replies = connection.submit([
                        RESPCommand("MULTI"), RESPCommand("XADD", "s", "3-0", "id", "x", "status", "revoked"),
                        RESPCommand("XADD", "s", "4-0", "id", "new", "status", "active"),
                        RESPCommand("CONFIG", "SET", "maxmemory", 1), RESPCommand("EXEC"),
                    ])
                    for reply in replies {
                        if case .error(let text) = try await reply.reply().value() { Issue.record("\(text)") }
                    }
                    try await pipeline.untilDone(4)
                    #expect(try await self.status("x", connection) == nil)
                    #expect(try await self.status("new", connection) == nil)
                    #expect(try await self.status("y", connection) == "active")
                    #expect(pipeline.endings == ["applied : 2", "\(outcome) store_failure: 2"])
                    let announced = handler.calls.compactMap { call in
                        if case .evicted(let key, _, let reason) = call { "\(key) \(reason)" } else { nil }
                    }
                    #expect(Set(announced) == ["x store_failure", "new store_failure"])
                    #expect(handler.calls.last == .endBatch)
                    #expect(log.lines.contains { $0.level == "error" && $0.message.contains("no memory left") })
                    // An older entry does not bring it back, the next one does.
                    _ = try await connection.command(RESPCommand("CONFIG", "SET", "maxmemory", 0))
                    try await self.add("x", "active", "5-0", connection)
                    try await pipeline.untilDone(5)
                    #expect(try await self.status("x", connection) == "active")
                }
            }
        }
    }

    @Test("A stage that retries succeeds when there is memory again")
    func retried() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await self.add("x", "active", "1-0", connection)
                let log = RecordingLog()
                let services = PipelineServices(logger: log.logger(label: "test"))
                try await withPipeline(self.file(server, failure: Self.retry), services: services) { pipeline in
                    try await pipeline.untilDone(1)
                    let replies = connection.submit([
                        RESPCommand("MULTI"), RESPCommand("XADD", "s", "2-0", "id", "x", "status", "changed"),
                        RESPCommand("CONFIG", "SET", "maxmemory", 1), RESPCommand("EXEC"),
                    ])
                    for reply in replies { _ = try await reply.reply().value() }
                    try await eventually("refused twice") {
                        log.lines.count { $0.message.contains("no memory left") } > 1
                    }
                    #expect(try await self.status("x", connection) == nil)
                    _ = try await connection.command(RESPCommand("CONFIG", "SET", "maxmemory", 0))
                    try await pipeline.untilDone(2)
                    #expect(try await self.status("x", connection) == "changed")
                    #expect(pipeline.endings == ["applied : 2"])
                }
            }
        }
    }
}
