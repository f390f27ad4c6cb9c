import Foundation
import RESP
import RedisClient
import StageKit
import Testing

/// What stands behind a store is done for every entry, also if the worker stopped after the store held a later one.
@Suite(FaultTable.order) struct RereadFaultTests {
    /// The keys of a trial, each revoked and then active again.
    private static var keys: Int { FaultTable.isLong ? 200 : 50 }

    private static let revoked = (1...keys).map { "k\($0) revoked" }
    private static let active = (1...keys).map { "k\($0) active" }

    /// A pipeline whose store comes before everything else.
    private func file(
        _ redis: RedisServer, source: String, readBlock: String = "100ms", store: String, stages: String,
        more: String = ""
    ) -> String {
        """
        pipeline: sessions
        redis: { address: "\(redis.address)", timeout: 60s, connect_timeout: 20s }
        source: { redis_stream: { stream: s, read_count: 1000, read_block: \(readBlock), \(source) } }
        stores: { sessions: { \(store) } }
        \(more)
        stages:
          - decode: { fields: { k: { required: true }, status: { required: true } } }
          - upsert: { store: sessions }
        \(stages)
        admin: { listen: off }
        """
    }

    /// Adds entries (`key status`) in one transaction, and whatever command is to follow before a worker can act.
    private func add(_ entries: [String], _ connection: RedisConnection, then command: RESPCommand? = nil) async throws
    {
        var commands = [RESPCommand("MULTI")]
        for entry in entries {
            let words = entry.split(separator: " ").map(String.init)
            commands.append(RESPCommand("XADD", "s", "*", "k", words[0], "status", words[1]))
        }
        commands.append(RESPCommand("EXEC"))
        if let command { commands.append(command) }
        for reply in connection.submit(commands) {
            if case .error(let text) = try await reply.reply().value() { Issue.record("\(text)") }
        }
    }

    /// Starts a worker with a file in a folder and waits until it reads.
    private func start(_ text: String, in folder: URL) async throws -> SluiceProcess {
        try Data(text.utf8).write(to: folder.appendingPathComponent("p.yaml"))
        try? FileManager.default.removeItem(at: folder.appendingPathComponent("pid"))
        let worker = try SluiceProcess(["run", "p.yaml"], in: folder)
        try await eventually("reading") { worker.errors.contains("reading the stream") }
        return worker
    }

    private func stop(_ worker: SluiceProcess) async throws {
        try await worker.signal(SIGTERM)
        let ending = try await worker.end()
        #expect(ending.status == 0, "\(ending.errors)")
    }

    /// An entry as the hook is told of it.
    private static func told(_ body: String) -> String {
        let object = try? JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: String]
        return "\(object?["k"] ?? "?") \(object?["status"] ?? "?")"
    }

    @Test(
        "A webhook that failed until the worker stopped gets every entry in stream order after a restart",
        arguments: ["memory: { key: k }", "redis: { key: k }"])
    func webhook(store: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let isWell = OrderedMutex(false)
                    let answer: @Sendable (String, Int) -> Int = { _, _ in isWell.withLock { $0 } ? 204 : 503 }
                    try await HookServer.with(answer) { hook, url in
                        // The last request of the first worker may arrive when it has stopped: each worker marks its own.
                        let marks = folder.appendingPathComponent("marks")
                        try Data("X-Mark: first\n".utf8).write(to: marks)
                        let hookSettings = "url: \"\(url)\", headers_file: \"\(marks.path)\", retries: 0, timeout: 5m"
                        let text = self.file(
                            server, source: "start: resume", store: store,
                            stages: """
                                  - webhook: { \(hookSettings), fields: [k, status] }
                                    on_failure: { retry: { attempts: 100, backoff: 50ms, max_backoff: 60s } }
                                """, more: "checkpoint: { path: checkpoint, interval: 20ms }")
                        try await self.add(["first active"], connection)
                        let worker = try await self.start(text, in: folder)
                        let entries = ["k revoked", "k active", "other revoked"]
                        try await self.add(entries, connection)
                        try await eventually("the hook was tried, and again") { hook.bodies.count > entries.count }
                        try await self.stop(worker)
                        try Data("X-Mark: second\n".utf8).write(to: marks)
                        isWell.withLock { $0 = true }
                        let again = try await self.start(text, in: folder)
                        try await eventually("all are told") { hook.bodies(marked: "second").count >= entries.count }
                        try await self.stop(again)
                        #expect(hook.bodies(marked: "second").map { Self.told($0) } == entries, "\(again.errors)")
                        #expect(!again.errors.contains("entries of the stream are lost"), "\(again.errors)")
                    }
                }
            }
        }
    }

    @Test(
        "Revocations before an entry that halts the worker are published after a restart",
        arguments: [
            "memory: { key: k }", "redis: { key: k }",
        ])
    func halted(store: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let isWell = OrderedMutex(false)
                    let answer: @Sendable (String, Int) -> Int = { _, _ in isWell.withLock { $0 } ? 204 : 422 }
                    try await HookServer.with(answer) { _, url in
                        let text = self.file(
                            server, source: "start: resume", store: store,
                            stages: """
                                  - revoke: { key: k }
                                    when: { status: revoked }
                                  - webhook: { url: "\(url)", fields: [k], retries: 0, timeout: 5m }
                                    when: { status: last }
                                    on_failure: halt
                                """,
                            more: """
                                checkpoint: { path: checkpoint, interval: 20ms }
                                revocations: { publish: { stream: told } }
                                """)
                        try await self.add(["first active"], connection)
                        let worker = try await self.start(text, in: folder)
                        try await self.add(Self.revoked + Self.active + ["k last"], connection)
                        let ending = try await worker.end()
                        #expect(ending.status == 1 && ending.errors.contains("halted by the stage"), "\(ending.errors)")
                        isWell.withLock { $0 = true }
                        let again = try await self.start(text, in: folder)
                        try await eventually("all are told") {
                            try await connection.entries("told").count >= Self.keys
                        }
                        try await self.stop(again)
                        let told = try await connection.entries("told").map { "\($0[1]) revoked" }
                        #expect(told == Self.revoked)
                    }
                }
            }
        }
    }

    @Test(
        "Revocations are published even if the worker is killed after the store's change",
        arguments: [
            "start: resume", "start: beginning, group: { name: g, consumer: w }",
        ])
    func killed(source: String) async throws {
        try await withRedisServer { server in
            try await withRedisServer { other in
                try await withConnection(server.settings) { connection in
                    try await withFolder { folder in
                        let isGroup = source.contains("group")
                        // A group's read counts as a write, so it has to be under way before the server is paused.
                        let text = self.file(
                            server, source: source, readBlock: isGroup ? "60s" : "100ms",
                            store: "redis: { key: k, server: { address: \"\(other.address)\", timeout: 20s } }",
                            stages: """
                                  - revoke: { key: k }
                                    when: { status: revoked }
                                """,
                            more: """
                                \(isGroup ? "" : "checkpoint: { path: checkpoint, interval: 20ms }")
                                revocations: { publish: { stream: told } }
                                """)
                        try await self.add(["first active"], connection)
                        let worker = try await self.start(text, in: folder)
                        try await withConnection(other.settings) { held in
                            func status(_ key: String) async throws -> String? {
                                try await held.command(RESPCommand("HGET", "sessions:\(key)", "status")).string
                            }
                            if isGroup {
                                try await eventually("the group has applied the first entry and waits for the next") {
                                    guard try await status("first") == "active" else { return false }
                                    let clients = try await connection.command(RESPCommand("CLIENT", "LIST")).string
                                    return clients?.split(separator: "\n").contains {
                                        $0.contains(" cmd=xreadgroup ") && $0.contains(" flags=b")
                                    } == true
                                }
                            }
                            // Nothing is written from here on, and what was added can be read.
                            try await self.add(
                                Self.revoked + Self.active, connection,
                                then: RESPCommand("CLIENT", "PAUSE", 600_000, "WRITE"))
                            try await eventually("the store is ahead") {
                                try await status("k\(Self.keys)") == "active"
                            }
                        }
                        worker.kill()
                        #expect(try await connection.entries("told").isEmpty)
                        _ = try await connection.command(RESPCommand("CLIENT", "UNPAUSE"))
                        let again = try await self.start(text, in: folder)
                        try await eventually("all are told") {
                            Set(try await connection.entries("told").map { $0[1] }).count >= Self.keys
                        }
                        try await self.stop(again)
                        let told = try await connection.entries("told").map { "\($0[1]) revoked" }
                        #expect(told.suffix(Self.keys) == Self.revoked[...], "\(told.count)")
                    }
                }
            }
        }
    }
}
