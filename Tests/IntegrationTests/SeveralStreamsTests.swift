import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import StageKit
import Testing

/// What entries of one stream do to keys of another: ids of two streams cannot be compared.
@Suite struct SeveralStreamsTests {
    private static func file(_ server: RedisServer, _ store: String) -> String {
        """
        pipeline: sessions
        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
        source: { redis_stream: { streams: [sa, sb], start: beginning, read_block: 100ms } }
        stores: { sessions: { \(store): { key: id } } }
        stages:
          - decode: { event: session, fields: { id: { required: true }, status: { required: true } } }
          - upsert: { store: sessions }
            on_failure: evict
        branches:
          evict:
            - evict: { store: sessions, key: id }
        """
    }

    private static func held(_ pipeline: Pipeline) async throws -> Snapshot? {
        let store = try #require(pipeline.stores["sessions"])
        if let remote = store.remote { return try await remote.lookUp(Array("k".utf8)) }
        return store.snapshot(for: "k")
    }

    @Test("A far id in one stream does not suppress a revocation in another", arguments: ["memory", "redis"])
    func farID(store: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                func add(_ stream: String, _ id: String, _ status: String) async throws {
                    let command = RESPCommand("XADD", stream, id, "id", "k", "status", status)
                    #expect(try await connection.command(command).string == id)
                }
                try await withPipeline(Self.file(server, store)) { pipeline in
                    try await add("sa", "18446744073709551600-0", "active")
                    try await pipeline.untilDone(1)
                    #expect(try await Self.held(pipeline)?["status"] == "active")
                    try await add("sb", "5-0", "revoked")
                    try await pipeline.untilDone(2)
                    #expect(try await Self.held(pipeline) == nil)
                    #expect(pipeline.endings == ["applied : 1", "evicted store_failure: 1"])
                    // The key belongs to the other stream from here on.
                    try await add("sb", "6-0", "active")
                    try await pipeline.untilDone(3)
                    let held = try await Self.held(pipeline)
                    #expect(held?.entryID == EntryID(milliseconds: 6, sequence: 0))
                    #expect(held?.fields.map(\.name).sorted() == ["id", "status"])
                    #expect(pipeline.isConserved)
                }
            }
        }
    }
}
