import ComponentKit
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import StageKit
import StageTestKit
import Testing

/// Lookups of hashes on a real server.
@Suite struct HashLookupTests {
    private static let pipeline = """
        pipeline: sensors
        redis: { address: "ADDRESS", timeout: 20s }
        source: { redis_stream: { stream: readings, start: beginning } }
        stores: { alerts: { memory: { key: id } } }
        stages:
          - decode: { fields: { id: {}, device: {}, celsius: { type: double } } }
          - lookup:
              hash: "device:{device}"
              fields: { limit: { field: max_celsius, type: double }, room: {} }
              missing: MISSING
          - upsert: { store: alerts }
            when: "has(limit) && celsius > limit"
        """

    private func request(_ key: String, _ fields: String...) -> HashRequest {
        HashRequest(key: Array(key.utf8), fields: fields.map { Array($0.utf8) })
    }

    @Test("Limits come from the hashes of devices; a hash of another kind fails its own events only")
    func limits() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(RESPCommand("HSET", "device:a", "max_celsius", "80.5", "room", "hall"))
                _ = try await connection.command(RESPCommand("HSET", "device:b", "max_celsius", "hot"))
                _ = try await connection.command(RESPCommand("SET", "device:c", "80"))
                let readings = [("a", "80.4"), ("a", "80.6"), ("b", "90"), ("c", "90"), ("none", "90"), ("a", "81")]
                try await connection.addAll(
                    "readings",
                    readings.enumerated().map { [("id", "\($0)"), ("device", $1.0), ("celsius", $1.1)] })
            }
            let text = Self.pipeline.replacing("ADDRESS", with: "\(server.address)").replacing("MISSING", with: "pass")
            try await withPipeline(text) { pipeline in
                try await pipeline.untilDone(6)
                #expect(pipeline.endings == ["applied : 4", "dropped lookup_failure: 2"])
                let store = try #require(pipeline.stores["alerts"])
                var held: [String] = []
                store.forEachSnapshot { held.append(String(decoding: $0.key, as: UTF8.self)) }
                #expect(held.sorted() == ["1", "5"])
                #expect(store.snapshot(for: "1")?["room"] == "hall")
                #expect(pipeline.isConserved)
            }
        }
    }

    @Test("Values are returned byte for byte, in the order of the fields")
    func values() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let fields = ["a".respBytes, [0xFF, 0x00], "b".respBytes, []]
                _ = try await connection.command(RESPCommand("HSET", arguments: ["h".respBytes] + fields))
            }
            let reader = RedisHashReader(server.settings, logger: quiet)
            let requests = [self.request("h", "b", "none", "a"), self.request("none", "a")]
            #expect(try await reader.read(requests) == [.success([[], nil, [0xFF, 0x00]]), .success([nil])])
            #expect(try await reader.read([]).isEmpty)
            let many = try await reader.read((0..<1500).map { self.request("h\($0)", "a") } + requests)
            #expect(many.count == 1502)
            #expect(many.last == .success([nil]) && many[1500] == .success([[], nil, [0xFF, 0x00]]))
            await reader.shutDown()
        }
    }

    @Test("A request that the server refuses fails alone and is no outage")
    func refusals() async throws {
        let options = RedisServer.Options(users: [
            "user default on nopass ~* &* +@all", "user reader on nopass ~h* &* +hmget +ping",
        ])
        try await withRedisServer(options) { server in
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(RESPCommand("SET", "h-text", "x"))
                _ = try await connection.command(RESPCommand("HSET", "h", "a", "1"))
            }
            var settings = server.settings
            settings.username = "reader"
            settings.password = Secret("any")
            let reader = RedisHashReader(settings, logger: quiet)
            let results = try await reader.read(["h-text", "other", "h"].map { self.request($0, "a") })
            let failures = results.map { result -> HashFailure? in
                if case .failure(let failure) = result { failure } else { nil }
            }
            #expect(failures[0]?.message.hasPrefix("HMGET: the server replied \"WRONGTYPE") == true)
            #expect(failures[1]?.message.contains("NOPERM") == true)
            #expect(failures.map { $0?.isOutage } == [false, false, nil])
            #expect(results[2] == .success([Array("1".utf8)]))
            await reader.shutDown()
        }
    }

    @Test("Requests wait for an unreachable server, and all fail if it stays away beyond the patience")
    func away() async throws {
        try await withRedisServer { server in
            let log = RecordingLog()
            let reader = RedisHashReader(
                server.settings, patience: .seconds(3600), logger: log.logger(label: "test"))
            _ = try await reader.read([self.request("h", "a")])
            server.kill()
            let hasty = RedisHashReader(server.settings, patience: .milliseconds(50), logger: quiet)
            let failed = try await hasty.read([self.request("h", "a"), self.request("i", "a")])
            #expect(failed.count == 2)
            #expect(
                failed.allSatisfy { result in
                    if case .failure(let failure) = result {
                        failure.isOutage && failure.message.hasPrefix("gave up after 50ms: ")
                    } else {
                        false
                    }
                }, "\(failed)")
            await hasty.shutDown()
            try await withThrowingTaskGroup(of: [Result<[[UInt8]?], HashFailure>].self) { group in
                group.addTask { try await reader.read([self.request("h", "a")]) }
                try await eventually("tried in vain") { log.lines.contains { $0.message.contains("retrying") } }
                try await server.start()
                for try await results in group { #expect(results == [.success([nil])]) }
            }
            await reader.shutDown()
        }
    }
}
