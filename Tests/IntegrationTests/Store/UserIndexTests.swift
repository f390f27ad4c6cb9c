import ComponentKit
import Foundation
import NIOCore
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import SnapshotStores
import StageKit
import StageTestKit
import Synchronization
import Testing

@testable import Commands

/// Sessions that are found and ended by their user, from the stream to lookups, the revocation feed and a restart.
@Suite(.timeLimit(.minutes(5))) struct UserIndexTests {
    private struct Enough: Error {}
    private struct Broken: Error {}

    /// The events of a feed so far.
    private final class Feed: Sendable {
        let events = Mutex<[ServerSentEvent]>([])
    }

    private func file(_ server: RedisServer, _ folder: URL, others: String = "") -> String {
        """
        pipeline: p
        redis: { address: "\(server.address)", timeout: 20s }
        source: { redis_stream: { stream: s, start: resume, bootstrap: stream } }
        checkpoint: { path: \(folder.path)/checkpoint, interval: 10ms }
        stores: { sessions: { memory: { key: id, index: [user] } } }
        stages:
          - decode: { event: e, fields: { type: { required: true }, id: {}, user: { required: true } } }
          - upsert: { store: sessions }
            when: { type: login }
          - revoke: { store: sessions, match: user }
            when: { type: logout }
        \(others)
        """
    }

    private func login(_ id: String, _ user: String) -> [(String, String)] {
        [("type", "login"), ("id", id), ("user", user)]
    }

    private func add(_ connection: RedisConnection, _ entry: String, _ fields: [(String, String)]) async throws {
        _ = try await connection.command(
            RESPCommand(
                "XADD",
                arguments: ["s".respBytes, entry.respBytes] + fields.flatMap { [$0.0.respBytes, $0.1.respBytes] }))
    }

    private func get(_ admin: String, _ path: String) async throws -> (status: UInt, body: String) {
        let (status, body) = try await AdminClient(address: admin).answer(path)
        return (status, AdminClient.line(body))
    }

    /// The data of the evictions that the feed sends after `change` was made, as many as are wanted.
    private func evictions(
        _ admin: String, _ count: Int, after change: () async throws -> Void
    ) async throws -> [String] {
        let feed = Feed()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await AdminClient(address: admin).events("/v1/revocations") { event in
                        let evictions = feed.events.withLock { seen in
                            seen.append(event)
                            return seen.count { $0.name == "eviction" }
                        }
                        if evictions == count { throw Enough() }
                    }
                } catch is Enough {}
            }
            try await eventually("follows") { feed.events.withLock { $0.contains { $0.name == "hello" } } }
            try await change()
            try await group.waitForAll()
            return feed.events.withLock { $0.filter { $0.name == "eviction" }.map(\.data) }
        }
    }

    @Test("A logout ends all sessions of its user and no others, and a restart from a checkpoint keeps the index")
    func worker() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let admin = "unix:\(folder.path)/admin"
                    let path = folder.appendingPathComponent("p.yaml")
                    let file = self.file(server, folder, others: "admin: { listen: \"\(admin)\" }")
                    try Data(file.utf8).write(to: path)
                    for (index, (key, user)) in [("a", "u"), ("x", "v"), ("b", "u"), ("c", "u")].enumerated() {
                        try await self.add(connection, "\(index + 1)-0", self.login(key, user))
                    }
                    let first = try SluiceProcess(["run", path.path], in: folder)
                    try await eventually("ready") { (try? await self.get(admin, "/readyz").status) == 200 }
                    let two = try await sluice("lookup", "--index", "user=u", "--limit", "2", "--admin", admin)
                    #expect(two.status == 0 && two.output.split(separator: "\n").count == 2)
                    #expect(two.errors.contains("there are more snapshots"))
                    let evictions = try await self.evictions(admin, 3) {
                        try await self.add(connection, "5-0", [("type", "logout"), ("user", "u")])
                    }
                    #expect(evictions == ["a", "b", "c"].map { #"{"key":"\#($0)","entry":"5-0","reason":"revoke"}"# })
                    for key in ["a", "b", "c"] {
                        #expect(try await self.get(admin, "/v1/stores/sessions/\(key)").status == 404)
                    }
                    #expect(try await self.get(admin, "/v1/stores/sessions/x").status == 200)
                    let none = try await sluice("lookup", "--index", "user=u", "--admin", admin)
                    #expect(none.status == 1 && none.output.isEmpty && none.errors.contains("no snapshot with user"))
                    try await self.add(connection, "6-0", self.login("d", "u"))
                    try await eventually("indexed") {
                        try await self.get(admin, "/v1/stores/sessions?index=user&value=u").body.contains(#""key":"d""#)
                    }
                    try await eventually("saved") {
                        try await self.get(admin, "/metrics").body
                            .contains(/sluice_checkpoints_total\{result="saved"\} [1-9]/)
                    }
                    try await first.signal(SIGKILL)
                    _ = try await first.end()
                    try await self.afterRestart(connection, admin, path, folder)
                }
            }
        }
    }

    private func afterRestart(
        _ connection: RedisConnection, _ admin: String, _ path: URL, _ folder: URL
    ) async throws {
        let worker = try SluiceProcess(["run", path.path], in: folder)
        try await eventually("ready again") { (try? await self.get(admin, "/readyz").status) == 200 }
        #expect(worker.errors.contains("resuming from the checkpoint"))
        let found = try await sluice("lookup", "--index", "user=v", "--admin", admin)
        #expect(found.status == 0)
        #expect(found.output.hasPrefix(#"{"key":"x","entry":"2-0","fields":{"#))
        let held = try await self.get(admin, "/v1/stores/sessions?index=user&value=u").body
        #expect(held.contains(#""key":"d""#) && !held.contains(#""key":"a""#))
        let evictions = try await self.evictions(admin, 1) {
            try await self.add(connection, "7-0", [("type", "logout"), ("user", "v")])
        }
        #expect(evictions == [#"{"key":"x","entry":"7-0","reason":"revoke"}"#])
        // Longer ago than the last entries: a login that comes late does not bring a session back.
        #expect(try await self.get(admin, "/v1/stores/sessions/x").status == 404)
        try await worker.signal(SIGTERM)
        #expect(try await worker.end().status == 0)
    }

    @Test("Ended sessions are announced after a restart if the worker could not announce them")
    func announcedAtLeastOnce() async throws {
        final class Failing: RevocationHandler {
            func revoke(_ event: borrowing Event, key: FieldID) {}
            func endBatch() async throws {
                // Long enough that a checkpoint is written meanwhile, which contains the ended sessions.
                try await Task.sleep(for: .milliseconds(200))
                throw Broken()
            }
        }
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let file = self.file(server, folder, others: "revocations: { publish: { stream: ends } }")
                    for (index, key) in ["a", "b", "c"].enumerated() {
                        try await self.add(connection, "\(index + 1)-0", self.login(key, "u"))
                    }
                    try await withPipeline(file) { try await $0.untilDone(3) }
                    try await self.add(connection, "4-0", [("type", "logout"), ("user", "u")])
                    await #expect(throws: (any Error).self) {
                        let services = PipelineServices(logger: quiet, revocationHandler: Failing())
                        try await withPipeline(file, services: services) { pipeline in
                            let store = try #require(pipeline.stores["sessions"])
                            try await eventually("ended") {
                                store.count == 0 && store.evictingEntry(for: "a".utf8.span) != nil
                            }
                        }
                    }
                    #expect(try await connection.entries("ends").isEmpty)
                    let handler = RecordingRevocationHandler()
                    let services = PipelineServices(logger: quiet, revocationHandler: handler)
                    try await withPipeline(file, services: services) { pipeline in
                        try await pipeline.untilDone(1)
                        #expect(pipeline.stores["sessions"]?.count == 0)
                    }
                    let logout = EntryID(milliseconds: 4, sequence: 0)
                    let expected = ["a", "b", "c"].map {
                        RecordingRevocationHandler.Call.evicted($0, logout, reason: "revoke")
                    }
                    #expect(handler.calls == expected + [.endBatch])
                    let messages = ["a", "b", "c"].map {
                        ["key", $0, "entry", "4-0", "kind", "eviction", "reason", "revoke"]
                    }
                    #expect(try await connection.entries("ends") == messages)
                }
            }
        }
    }

    @Test("More sessions than are announced together are all ended, by one logout in the middle of a batch")
    func many() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let count = 10_000
                    var entries = (0..<count).map { self.login("s-\($0)", "u") }
                    entries.append([("type", "logout"), ("user", "u")])
                    entries.append(self.login("new", "u"))
                    try await connection.addAll("s", entries)
                    let handler = RecordingRevocationHandler()
                    let services = PipelineServices(logger: quiet, revocationHandler: handler)
                    try await withPipeline(self.file(server, folder), services: services) { pipeline in
                        try await pipeline.untilDone(count + 2)
                        #expect(pipeline.endings == ["applied : \(count + 2)"])
                        #expect(pipeline.stores["sessions"]?.count == 1)
                        #expect(pipeline.stores["sessions"]?.snapshot(for: "new") != nil)
                    }
                    let ended = handler.calls.compactMap { if case .evicted(let key, _, _) = $0 { key } else { nil } }
                    #expect(ended.count == count && Set(ended).count == count)
                }
            }
        }
    }
}
