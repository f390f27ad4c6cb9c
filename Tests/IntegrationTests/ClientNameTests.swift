import Foundation
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import Testing

/// The names of the worker's connections in the server's CLIENT LIST.
@Suite struct ClientNameTests {
    private static let pipeline = """
        pipeline: sessions
        redis: { address: "ADDRESS", timeout: 20s }
        source: { redis_stream: { stream: s, start: beginning } }
        revocations: { publish: { channel: revoked } }
        stores: { devices: { redis: { key: id } } }
        stages:
          - decode: { event: e, fields: { id: { type: string, required: true } } }
          - upsert: { store: devices }
          - lookup: { hash: "rooms:{id}", fields: { room: room }, missing: pass }
          - revoke: { key: id }
          - publish: { channel: told }
        """

    /// The connections of a server, as CLIENT LIST shows them: their names and library names.
    private func connections(_ connection: RedisConnection) async throws -> [(name: String, library: String?)] {
        let text = try await connection.command(RESPCommand("CLIENT", "LIST")).string ?? ""
        return text.split(separator: "\n").map { line in
            var facts: [Substring: String] = [:]
            for word in line.split(separator: " ") {
                let parts = word.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { facts[parts[0]] = String(parts[1]) }
            }
            return (facts["name"] ?? "", facts["lib-name"])
        }
    }

    @Test("Each connection has the pipeline's name, its purpose, and the library if the server supports it")
    func names() async throws {
        try await withRedisServer { server in
            let text = Self.pipeline.replacing("ADDRESS", with: "\(server.address)")
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(RESPCommand("XADD", "s", "*", "id", "a"))
                try await withPipeline(text) { pipeline in
                    try await pipeline.untilDone(1)
                    let store = try #require(pipeline.stores["devices"] as? RedisStore)
                    #expect(try await store.lookUp(Array("a".utf8)) != nil)
                    let purposes = ["source", "store:devices", "lookup:devices", "revocations", "messages", "hashes"]
                    let expected = Set(purposes.map { "sluice:sessions:\($0)" })
                    // The library is told after the name.
                    let hasLibraries = ServerVersion.underTest.isRedis(7, 2)
                    try await eventually("all connections have names, and libraries if the server knows them") {
                        let found = try await self.connections(connection)
                        return expected.isSubset(of: found.map { $0.name })
                            && (!hasLibraries
                                || found.allSatisfy { !expected.contains($0.name) || $0.library == "sluice" })
                    }
                }
            }
        }
    }

    @Test("A server or user without these commands works as well")
    func refused() async throws {
        let refusals: [RedisServer.Options] = [
            .init(arguments: ["--rename-command", "CLIENT", ""]),
            .init(users: ["user default on nopass ~* &* +@all -client"]),
        ]
        for options in refusals {
            try await withRedisServer(options) { server in
                let text = Self.pipeline.replacing("ADDRESS", with: "\(server.address)")
                try await withConnection(server.settings) { connection in
                    _ = try await connection.command(RESPCommand("XADD", "s", "*", "id", "a"))
                    try await withPipeline(text) { pipeline in
                        try await pipeline.untilDone(1)
                        #expect(pipeline.endings == ["applied : 1"])
                    }
                }
            }
        }
    }
}
