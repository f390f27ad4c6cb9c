import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import SnapshotStores
import StageKit
import Testing

@testable import RedisStreams

@Suite struct ClusterTests {
    /// How often a slot moves and a primary is killed: once among all tests, more often by `make scaleout`.
    private static var moves: Int { ProcessInfo.processInfo.environment["SLUICE_SCALEOUT"] == nil ? 1 : 20 }

    /// A pipeline over partitions into a store in memory and one on the servers.
    static func pipeline(_ section: String, partitions: Int, more: String = "") -> String {
        """
        pipeline: p
        redis: \(section)
        source:
          redis_stream:
            stream: "events:{n}"
            partitions: \(partitions)
            bootstrap: stream
            read_block: 300ms
            read_margin: 500ms
            check_interval: 100ms
            reconnect: { max_delay: 200ms }
        stores:
          held: { memory: { key: id } }
          shared: { redis: { key: id } }
        stages:
          - decode: { event: e, fields: { id: { type: string, required: true }, n: { type: string } } }
          - upsert: { store: held }
            name: hold
          - upsert: { store: shared }
            name: share
        \(more)
        """
    }

    /// Waits until both stores hold what the streams say.
    private func compare(_ pipeline: Pipeline, _ flow: PartitionFlow, _ settings: RedisSettings) async throws {
        var expected: [String: String] = [:]
        for stream in flow.streams {
            try await withConnection(settings, for: stream) { connection in
                expected.merge(try await connection.lastValues(stream).values) { $1 }
            }
        }
        let held = try #require(pipeline.stores["held"])
        let shared = try #require(pipeline.stores["shared"] as? RedisStore)
        var found: [String: String] = [:]
        try await eventually("in memory as the streams say: \(pipeline.source.status)") {
            found = [:]
            held.forEachSnapshot { found[String(decoding: $0.key, as: UTF8.self)] = $0["n"] }
            return found == expected
        }
        // The servers get the changes of a batch after the memory.
        for (key, value) in expected {
            try await eventually("\(key) is \(value) on the servers") {
                try await shared.lookUp(Array(key.utf8))?["n"] == value
            }
        }
        #expect(pipeline.isConserved)
    }

    @Test("After a moved slot and a killed primary under load, both stores match the streams")
    func moved() async throws {
        try await ClusterServers.with { cluster in
            let settings = cluster.settings
            let streams = (0..<4).map { "events:{\($0)}" }
            let flow = PartitionFlow(settings, streams: streams)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await flow.run() }
                try await withPipeline(Self.pipeline(cluster.section, partitions: 4)) { pipeline in
                    try await eventually("in flow") { pipeline.statistics.read > 300 }
                    for move in 0..<Self.moves {
                        let stream = streams[move % 4]
                        let owner = try #require(try await cluster.owner(of: stream))
                        let target = try #require(
                            cluster.nodes.prefix(ClusterServers.primaryCount).first { $0.address != owner.address })
                        try await cluster.migrate(stream, to: target, pause: .milliseconds(200))
                        let count = pipeline.statistics.read
                        try await eventually("read on") { pipeline.statistics.read > count + 100 }
                    }
                    #expect(pipeline.source.status.gaps.isEmpty, "\(pipeline.source.status)")
                    let victim = try #require(try await cluster.owner(of: streams[1]))
                    victim.kill()
                    let witness = try #require(cluster.nodes.first { $0.address != victim.address })
                    try await eventually("failed over") {
                        let owner = try await cluster.owner(of: streams[1], toldBy: witness)
                        let state = try await cluster.ask(witness, "CLUSTER", "INFO").string ?? ""
                        return owner.map { $0.address != victim.address } ?? false
                            && state.contains("cluster_state:ok")
                    }
                    let (added, read) = (flow.added, pipeline.statistics.read)
                    try await eventually("flowing again") {
                        flow.added > added + 300 && pipeline.statistics.read > read + 300
                    }
                    flow.stop()
                    try await group.waitForAll()
                    try await self.compare(pipeline, flow, settings)
                }
            }
        }
    }
}

@Suite struct ClusterGroupTests {
    @Test("A worker of a group follows its stream to another server while it reads")
    func moved() async throws {
        try await ClusterServers.with { cluster in
            let worker = GroupWorker(cluster.nodes[0], "w", redis: cluster.settings)
            // Sent to the owner itself: other servers may name the previous one for a while.
            func add(_ numbers: ClosedRange<Int>, to owner: RedisServer) async throws {
                try await withConnection(owner.settings) { connection in
                    for number in numbers { try await connection.add(GroupWorker.stream, "v", id: "\(number)-0") }
                }
            }
            let owner = try #require(try await cluster.owner(of: GroupWorker.stream))
            let target = try #require(
                cluster.nodes.prefix(ClusterServers.primaryCount).first { $0.address != owner.address })
            try await add(1...3, to: owner)
            try await worker.run {
                try await eventually("read") { worker.ids.count >= 3 }
                try await cluster.migrate(GroupWorker.stream, to: target, pause: .milliseconds(50))
                try await add(4...6, to: target)
                try await eventually("read on") { Set(worker.ids) == Set(numbered(1...6)) }
            }
            #expect(worker.source.status.gaps.isEmpty, "\(worker.source.status)")
        }
    }
}

@Suite struct ClusterDatabaseTests {
    private func runError(_ cluster: ClusterServers, database: Int) async -> RedisError? {
        var settings = cluster.settings
        settings.database = database
        let source = RedisStreamSource(settings, RedisStreamSettings(stream: "s"), logger: quiet)
        return await #expect(throws: RedisError.self) { try await source.run { _ in } }
    }

    @Test(
        "A cluster with several databases is read and written in the given one",
        .enabled(if: ServerVersion.underTest.hasClusterDatabases, "needs Valkey 9"))
    func severalDatabases() async throws {
        try await ClusterServers.with(databases: 4) { cluster in
            var settings = cluster.settings
            for database in [0, 3] {
                settings.database = database
                for number in 0..<9 {
                    try await withConnection(settings, for: "events:{\(number % 3)}") { connection in
                        _ = try await connection.command(
                            RESPCommand(
                                "XADD", "events:{\(number % 3)}", "*", "id", "k\(number)", "n", "\(number + database)"))
                    }
                }
            }
            let text = ClusterTests.pipeline(cluster.section(database: 3), partitions: 3)
            try await withPipeline(text) { pipeline in
                try await pipeline.untilDone(9)
                let held = try #require(pipeline.stores["held"])
                let shared = try #require(pipeline.stores["shared"] as? RedisStore)
                #expect(held.count == 9)
                for number in 0..<9 {
                    let key = Array("k\(number)".utf8)
                    #expect(held.snapshot(for: "k\(number)")?["n"] == "\(number + 3)")
                    #expect(try await shared.lookUp(key)?["n"] == "\(number + 3)")
                    for (database, exists) in [(0, 0), (3, 1)] {
                        settings.database = database
                        try await withConnection(settings, for: "shared:k\(number)") { connection in
                            let answer = try await connection.command(RESPCommand("EXISTS", "shared:k\(number)"))
                            #expect(answer.integer == Int64(exists), "database \(database)")
                        }
                    }
                }
                #expect(pipeline.isConserved)
            }
            let missing = await self.runError(cluster, database: 9)
            #expect(missing?.code == .badSettings && missing?.isTransient == false)
            #expect(missing?.message.contains("lower redis.database") == true, "\(missing?.message ?? "")")
        }
    }

    @Test(
        "A cluster with one database refuses another, with the server's answer and the remedy",
        .disabled(
            if: ServerVersion.underTest.hasClusterDatabases, "a cluster of this server can have several databases"))
    func oneDatabase() async throws {
        try await ClusterServers.with { cluster in
            let error = await self.runError(cluster, database: 3)
            #expect(error?.code == .badSettings && error?.isTransient == false)
            let message = error?.message ?? ""
            #expect(message.contains("SELECT is not allowed in cluster mode"), "\(message)")
            #expect(message.contains("remove redis.database"), "\(message)")
        }
    }
}

@Suite struct PartitionTests {
    @Test("Several streams of one server are read side by side, stopped and resumed from one checkpoint")
    func oneServer() async throws {
        try await withRedisServer { server in
            try await withFolder { folder in
                let section = "{ address: \"\(server.address)\", timeout: 20s }"
                let more = "checkpoint: { path: \(folder.path)/checkpoint, interval: 10ms }"
                let text = ClusterTests.pipeline(section, partitions: 3, more: more)
                    .replacing("bootstrap: stream", with: "bootstrap: stream\n    start: resume")
                try await withConnection(server.settings) { connection in
                    func add(_ range: Range<Int>) async throws {
                        for number in range {
                            _ = try await connection.command(
                                RESPCommand(
                                    "XADD", "events:{\(number % 3)}", "*", "id", "k\(number)", "n", "\(number)"))
                        }
                    }
                    try await add(0..<300)
                    try await withPipeline(text) { try await $0.untilDone(300) }
                    try await add(300..<360)
                    try await withPipeline(text) { pipeline in
                        try await pipeline.untilDone(60)
                        #expect(pipeline.stores["held"]?.count == 360)
                        #expect(pipeline.statistics.read == 60 && pipeline.source.status.gaps.isEmpty)
                        // Lost in one of them: the stores are filled again from all of them.
                        _ = try await connection.command(RESPCommand("DEL", "events:{1}"))
                        try await eventually("told") { pipeline.source.status.gaps["deleted"] == 1 }
                        try await eventually("filled again") {
                            pipeline.stores["held"]?.count == 240 && pipeline.source.status.isCaughtUp
                        }
                        #expect(pipeline.isConserved)
                    }
                }
            }
        }
    }
}
