import ComponentKit
import Foundation
import NIOCore
import PipelineEngine
import RESP
import RedisClient
import SnapshotStores
import StageKit
import StageTestKit
import Synchronization
import Testing

@testable import Commands

/// Sessions that expire, from the stream to lookups, gateways and consumers of revocations.
@Suite(.timeLimit(.minutes(5))) struct ExpiringStoreTests {
    private static let hour = Int64(3_600_000)

    /// A time of day that the test sets; the machine's clock goes on beside it.
    private final class TimeOfDay: Sendable {
        private let value = Mutex(WallClock.system.milliseconds)
        var now: Int64 { self.value.withLock { $0 } }
        var clock: WallClock { WallClock { self.now } }
        func advance(_ milliseconds: Int64) { self.value.withLock { $0 += milliseconds } }
    }

    private func file(_ server: RedisServer, _ settings: String, others: String = "") -> String {
        """
        pipeline: p
        redis: { address: "\(server.address)", timeout: 20s }
        source: { redis_stream: { stream: s, start: beginning } }
        stores: { a: { memory: { key: id, \(settings) } } }
        stages:
          - decode: { event: e, fields: { id: { required: true }, until: { type: int64 } } }
          - upsert: { store: a }
        \(others)
        """
    }

    @Test("An expired session is absent, then announced to handlers and on Redis, removed and counted")
    func expires() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let (time, handler) = (TimeOfDay(), RecordingRevocationHandler())
                let until = time.now + Self.hour
                let entries: [[(String, String)]] = [
                    [("id", "x"), ("until", "\(until)")], [("id", "y")], [("id", "z"), ("until", "\(until)")],
                ]
                try await connection.addAll("s", entries)
                let file = self.file(
                    server, "expires: until, max_entries: 3", others: "revocations: { publish: { stream: ends } }")
                let services = PipelineServices(logger: quiet, revocationHandler: handler, clock: time.clock)
                try await withPipeline(file, services: services) { pipeline in
                    try await pipeline.untilDone(3)
                    let store = try #require(pipeline.stores["a"] as? MemoryStore)
                    #expect(["x", "y", "z"].allSatisfy { store.snapshot(for: $0) != nil })
                    // Renewed before it expires.
                    _ = try await connection.command(
                        RESPCommand("XADD", "s", "4-0", "id", "z", "until", "\(until + 100 * Self.hour)"))
                    try await pipeline.untilDone(4)
                    time.advance(2 * Self.hour)
                    try await eventually("absent") { store.snapshot(for: "x") == nil }
                    try await eventually("removed") { store.expiredCount == 1 }
                    #expect(store.count == 2 && ["y", "z"].allSatisfy { store.snapshot(for: $0) != nil })
                    // Announced before it was removed.
                    let evictions = handler.calls.filter { if case .evicted = $0 { true } else { false } }
                    let x = EntryID(milliseconds: 1, sequence: 0)
                    #expect(evictions == [.evicted("x", x, reason: "expired")])
                    let message = ["key", "x", "entry", "1-0", "kind", "eviction", "reason", "expired"]
                    #expect(try await connection.entries("ends") == [message])
                    // Room for a new one, and an entry that is read again does not bring the old one back.
                    _ = try await connection.command(RESPCommand("XADD", "s", "5-0", "id", "new"))
                    try await pipeline.untilDone(5)
                    #expect(store.snapshot(for: "new") != nil && pipeline.endings == ["applied : 5"])
                }
            }
        }
    }

    @Test("Sessions that expired while no worker ran are announced after a restart from a checkpoint")
    func restart() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await withFolder { folder in
                    let time = TimeOfDay()
                    try await connection.addAll(
                        "s", [[("id", "x"), ("until", "\(time.now + Self.hour)")], [("id", "y")]])
                    let checkpoint = "checkpoint: { path: \(folder.path)/checkpoint, interval: 10ms }"
                    let file = self.file(server, "expires: until", others: checkpoint)
                        .replacingOccurrences(of: "start: beginning", with: "start: resume, bootstrap: stream")
                    let first = PipelineServices(logger: quiet, clock: time.clock)
                    try await withPipeline(file, services: first) { try await $0.untilDone(2) }
                    time.advance(2 * Self.hour)
                    let handler = RecordingRevocationHandler()
                    let second = PipelineServices(logger: quiet, revocationHandler: handler, clock: time.clock)
                    try await withPipeline(file, services: second) { pipeline in
                        let store = try #require(pipeline.stores["a"] as? MemoryStore)
                        try await eventually("loaded") { store.snapshot(for: "y") != nil }
                        #expect(store.snapshot(for: "x") == nil)
                        try await eventually("removed") { store.expiredCount == 1 }
                        let x = EntryID(milliseconds: 1, sequence: 0)
                        #expect(handler.calls.contains(.evicted("x", x, reason: "expired")))
                    }
                }
            }
        }
    }

    @Test("A worker's lookups, exports, metrics and revocation feed obey the time to live")
    func worker() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let settings = "{ key: device_session_id, ttl: 1h, conditions: { active: { status: active } } }"
                let arguments = [
                    "--set", "stores.sessions={ memory: \(settings) }", "--set", "source.redis_stream.start=beginning",
                ]
                for (id, key) in [("5-0", "old"), ("*", "new")] {
                    let command = RESPCommand(
                        "XADD", "gateway:session_events", id, "device_session_id", key, "user_id", "u",
                        "client_public_key", "k", "status", "active")
                    _ = try await connection.command(command)
                }
                try await withWorker(server, arguments) { process, folder in
                    let admin = AdminClient(address: "unix:\(folder.path)/admin")
                    func get(_ path: String) async throws -> (status: UInt, body: String) {
                        var body = ByteBuffer()
                        let status = try await admin.get(path) { _, piece in body.writeImmutableBuffer(piece) }
                        return (status, AdminClient.line(body))
                    }
                    try await eventually("ready") { (try? await get("/readyz").status) == 200 }
                    for query in ["", "?allow=active"] {
                        #expect(try await get("/v1/stores/sessions/new\(query)").status == 200)
                        #expect(try await get("/v1/stores/sessions/old\(query)").status == 404)
                    }
                    let export = try await get("/v1/export/sessions").body
                    #expect(export.contains(#""key":"new""#) && !export.contains("old"))
                    try await eventually("removed and counted") {
                        let metrics = try await get("/metrics").body
                        return metrics.contains(#"sluice_store_expired_total{store="sessions"} 1"#)
                            && metrics.contains(#"sluice_store_entries{store="sessions"} 1"#)
                    }
                    let explained = try await get("/v1/explain/sessions/old").body
                    #expect(explained.contains(#""reason":"expired""#), "\(explained)")
                    try await process.signal(SIGTERM)
                    #expect(try await process.end().status == 0)
                }
            }
        }
    }
}
