import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import StageKit
import Testing

@Suite struct GroupPipelineTests {
    private func file(_ server: RedisServer, onFailure: String?, more: String = "") -> String {
        """
        pipeline: orders
        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
        source:
          redis_stream: { stream: s, check_interval: 50ms, group: { name: g, consumer: w, max_deliveries: 3 } }
          \(onFailure.map { "on_failure: \($0)" } ?? "")
        \(more)
        stages:
          - decode: { event: order, fields: { v: { required: true } } }
            on_failure: put_aside
        branches:
          put_aside:
            - dead_letter
        """
    }

    /// Has four entries pending, the second delivered so often that the next time is one too many.
    private func prepare(_ connection: RedisConnection) async throws {
        try await connection.addNumbered(1...4)
        try await connection.makeGroup()
        try await connection.takeAndDie("w", 4)
        _ = try await connection.command(
            RESPCommand("XCLAIM", GroupWorker.stream, GroupWorker.group, "w", 0, "2-0", "RETRYCOUNT", 3, "JUSTID"))
    }

    @Test(
        "An entry delivered too often has the one outcome of the source's on_failure",
        arguments: [nil, "drop", "aside"])
    func poison(rule: String?) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await self.prepare(connection)
                let text = self.file(server, onFailure: rule == "aside" ? "dead_letter" : rule)
                let pipeline = try await withPipeline(text) { pipeline in
                    try await pipeline.untilDone(4)
                    try await eventually("nothing is pending") { try await connection.pendingEntries().isEmpty }
                    return pipeline
                }
                let end = rule == "aside" ? "dead_lettered max_deliveries: 1" : "dropped max_deliveries: 1"
                #expect(pipeline.endings == ["applied : 3", end].sorted() && pipeline.isConserved)
                #expect(pipeline.source.status.group?.refused == 1)
            }
        }
    }

    @Test("The dead-letter entry of an entry delivered too often has the server's count, and is replayed once")
    func deadLetter() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await self.prepare(connection)
                let text = self.file(server, onFailure: "dead_letter")
                try await withPipeline(text) { try await $0.untilDone(4) }
                let deadLetter = try #require(try await connection.entries("s:dead").first)
                let pairs = stride(from: 0, to: deadLetter.count, by: 2).map { (deadLetter[$0], deadLetter[$0 + 1]) }
                let facts = Dictionary(pairs, uniquingKeysWith: { first, _ in first })
                #expect(facts["id"] == "2-0" && facts["stream"] == "s" && facts["field:v"] == "2")
                #expect(facts["reason"] == "max_deliveries" && facts["stage"] == nil)
                #expect(facts["attempts"] == "4" && facts["deliveries"] == "4")

                let files = ["p.yaml": text]
                let list = try await sluice("dlq", "list", "--file", "p.yaml", "--format", "json", files: files)
                #expect(list.output.contains(#""reason":"max_deliveries""#), "\(list)")
                #expect(list.output.contains(#""attempts":4,"deliveries":4"#), "\(list)")
                for round in 0..<2 {
                    let played = try await sluice("dlq", "replay", "--all", "--yes", "--file", "p.yaml", files: files)
                    #expect(played.status == 0, "\(round): \(played)")
                }
                let again = try await withPipeline(text) { pipeline in
                    try await pipeline.untilDone(1)
                    try await eventually("nothing is pending") { try await connection.pendingEntries().isEmpty }
                    return pipeline
                }
                #expect(again.endings == ["applied : 1"])
                #expect(try await connection.entries("s").count == 5)
                #expect(try await connection.entries("s:dead").isEmpty)
            }
        }
    }

    @Test("Lanes apply and acknowledge every entry of a group, each key in order")
    func lanes() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.makeGroup()
                let text = self.file(server, onFailure: nil, more: "lanes: { count: 4, key: v }")
                    .replacing("branches:", with: "  - publish: { stream: out }\nbranches:")
                try await withPipeline(text) { pipeline in
                    for number in 1...500 { try await connection.add("s", "k\(number % 7)", id: "\(number)-0") }
                    try await pipeline.untilDone(500)
                    try await eventually("nothing is pending") { try await connection.pendingEntries().isEmpty }
                    #expect(pipeline.endings == ["applied : 500"] && pipeline.isConserved)
                }
                #expect(try await connection.entries("out").count == 500)
            }
        }
    }

    @Test("check reports the state of the group and its missing permissions")
    func checked() async throws {
        // Redis 6.2 cannot forbid a single subcommand, and cannot say what a user may run.
        let hasDryRuns = ServerVersion.underTest.hasDryRuns
        let forbidden = hasDryRuns ? " -xautoclaim -xgroup|delconsumer" : ""
        var options = RedisServer.Options()
        options.users = ["user default on nopass ~* &* +@all", "user some on >p ~* &* +@all\(forbidden)"]
        try await withRedisServer(options) { server in
            try await withConnection(server.settings) { connection in
                let files = ["p.yaml": self.file(server, onFailure: nil)]
                let none = try await sluice("check", "p.yaml", files: files)
                #expect(none.status == 0 && none.output.contains("g does not exist yet"), "\(none)")
                try await self.prepare(connection)
                let there = try await sluice("check", "p.yaml", files: files)
                #expect(there.status == 0 && there.output.contains("4 pending, 1 workers known"), "\(there)")
                let some = try await sluice(
                    "check", "p.yaml", "--set", "redis.username=some", "--set", "redis.password=p", files: files)
                if hasDryRuns {
                    #expect(
                        some.status == 1 && some.output.contains("+xautoclaim +xgroup|delconsumer"), "\(some)")
                }
                // A check changes nothing.
                #expect(try await connection.pendingEntries().count == 4)
            }
        }
    }
}
