import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

/// The key that tells other programs whether a redis store is up to date.
@Suite(.timeLimit(.minutes(5))) struct HeartbeatTests {
    private static let key = "sessions:"

    /// A store that was fresh a moment ago, for long enough that no test ends before it is stale.
    private func withStore(
        limit: Duration = .seconds(3600), _ body: (RedisStore, RedisConnection) async throws -> Void
    ) async throws {
        try await withRedisServer { server in
            var settings = RedisStoreSettings()
            settings.key = "id"
            let store = RedisStore(name: "sessions", settings, server: server.settings, logger: quiet)
            store.freshness?.setLimit(limit)
            store.freshness?.prove(at: .now)
            let result: Result<Void, any Error>
            do {
                result = .success(try await withConnection(server.settings) { try await body(store, $0) })
            } catch { result = .failure(error) }
            await store.shutDown()
            try result.get()
        }
    }

    private func value(_ connection: RedisConnection) async throws -> [String: Any]? {
        let text = try await connection.command(RESPCommand("GET", Self.key)).string
        return try text.map { try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }

    @Test("A fresh store has a heartbeat that expires when its proof is too old")
    func written() async throws {
        try await self.withStore { store, connection in
            store.freshness?.prove(at: .now - .seconds(1800))
            await store.beat(cursor: EntryID(milliseconds: 7, sequence: 1))
            let value = try #require(try await self.value(connection))
            #expect(value["cursor"] as? String == "7-1" && value["limit_ms"] as? Int == 3_600_000)
            #expect((value["worker"] as? String)?.contains(":") == true && (value["time_ms"] as? Int ?? 0) > 0)
            let left = try await connection.command(RESPCommand("PTTL", Self.key)).integer ?? 0
            #expect((1...3_600_000).contains(left))
        }
    }

    @Test("A store has no heartbeat without a limit, without a recent proof, or during a fill")
    func unproved() async throws {
        try await self.withStore { store, connection in
            let freshness = try #require(store.freshness)
            freshness.setFilling(true)
            await store.beat(cursor: nil)
            freshness.setFilling(false)
            freshness.setLimit(.nanoseconds(1))
            await store.beat(cursor: nil)
            freshness.setLimit(nil)
            #expect(store.beatInterval == nil)
            await store.beat(cursor: nil)
            store.removeAll()
            freshness.setLimit(.seconds(60))
            #expect(store.beatInterval == .seconds(1))
            await store.beat(cursor: nil)
            #expect(try await self.value(connection) == nil)
        }
    }

    @Test("A delayed proof does not extend the heartbeat, and an older one does not shorten it")
    func heldUp() async throws {
        try await self.withStore { store, connection in
            let key = Array(Self.key.utf8)
            let now = try #require(Heartbeat.time(try await connection.command(Heartbeat.time(key: key))))
            let value = Heartbeat.value(worker: "w", cursor: nil, serverTime: now, limit: 1)
            func write(_ milliseconds: Int64, asked: Int64) async throws -> Heartbeat.Answer? {
                Heartbeat.answer(
                    try await connection.command(
                        Heartbeat().write(value, key: key, milliseconds: milliseconds, asked: asked)))
            }
            #expect(try await write(60_000, asked: now - 60_001) == .late)
            #expect(try await self.value(connection) == nil)
            _ = try await write(3_600_000, asked: now)
            _ = try await write(60_000, asked: now)
            #expect((try await connection.command(RESPCommand("PTTL", Self.key)).integer ?? 0) > 60_000)
        }
    }

    @Test("Emptying removes the heartbeat first, and a removed one is written only after the next fill")
    func removed() async throws {
        try await self.withStore { store, connection in
            await store.beat(cursor: nil)
            #expect(try await self.value(connection) != nil)
            store.removeAll()
            try await store.finishRemoval()
            #expect(try await self.value(connection) == nil)
            await store.beat(cursor: nil)
            #expect(try await self.value(connection) != nil)
            // Another worker empties the store.
            _ = try await connection.command(Heartbeat.remove(key: Array(Self.key.utf8)))
            for _ in 1...2 { await store.beat(cursor: nil) }
            #expect(try await self.value(connection) == nil)
            store.removeAll()
            try await store.finishRemoval()
            await store.beat(cursor: nil)
            #expect(try await self.value(connection) != nil)
        }
    }

    @Test("Values of other programs under the heartbeat's key are kept", arguments: ["XADD", "SET"])
    func foreign(command: String) async throws {
        try await self.withStore { store, connection in
            let other =
                command == "XADD"
                ? RESPCommand("XADD", Self.key, "1-0", "k", "v") : RESPCommand("SET", Self.key, "somebody's")
            _ = try await connection.command(other)
            await store.beat(cursor: nil)
            _ = try await connection.command(Heartbeat.remove(key: Array(Self.key.utf8)))
            let type = try await connection.command(RESPCommand("TYPE", Self.key)).string
            #expect(type == (command == "XADD" ? "stream" : "string"))
            if command == "SET" {
                #expect(try await connection.command(RESPCommand("GET", Self.key)).string == "somebody's")
            }
        }
    }

    @Test("A worker keeps the heartbeat while it reads, and it expires once the worker is killed")
    func killed() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let arguments = [
                    "stores.sessions={ redis: { key: device_session_id } }", "source.redis_stream.max_staleness=2s",
                    "source.redis_stream.read_block=200ms",
                ].flatMap { ["--set", $0] }
                try await withWorker(server, arguments) { process, _ in
                    try await eventually("heartbeat") { try await self.value(connection) != nil }
                    let id = try await connection.addSession("ds-1")
                    try await eventually("cursor") {
                        try await self.value(connection)?["cursor"] as? String == id.description
                    }
                    let commands = [
                        RESPCommand("MULTI"), RESPCommand("GET", Self.key), RESPCommand("HGETALL", "sessions:ds-1"),
                        RESPCommand("EXEC"),
                    ]
                    // On a busy machine the heartbeat may expire at any time.
                    var answers: [RESPValue]?
                    try await eventually("a heartbeat in the same transaction") {
                        answers = try await connection.submit(commands)[3].reply().value().array
                        return answers?.first?.string != nil
                    }
                    #expect(answers?.last?.array?.isEmpty == false)
                    try await process.signal(SIGKILL)
                    try await eventually("expired") { try await self.value(connection) == nil }
                    #expect(try await connection.command(RESPCommand("EXISTS", "sessions:ds-1")).integer == 1)
                }
            }
        }
    }
}
