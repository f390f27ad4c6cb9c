import Foundation
import Logging
import RESP
import RedisClient
import RedisStreams
import StageKit
import StageTestKit
import Testing

@Suite struct RevocationPublisherTests {
    /// Has the publisher told of these keys, as a batch of entries whose first field is the key.
    private func tell(
        _ publisher: RevocationPublisher, _ keys: [String], evictedFor reason: String? = nil
    ) async throws {
        let batch = EventBatch()
        for (index, key) in keys.enumerated() {
            batch.append(
                id: EntryID(milliseconds: UInt64(index + 1), sequence: 0), fields: [(Array("k".utf8), Array(key.utf8))])
        }
        batch.prepareCells(fieldCount: 1)
        let field = FieldID(index: 0)
        for index in 0..<batch.count {
            batch.withEvent(at: index) { event in
                event.set(field, range: event.rawField(at: 0).value)
                if let reason {
                    publisher.evicted(event, key: field, reason: reason)
                } else {
                    publisher.revoke(event, key: field)
                }
            }
        }
        try await publisher.endBatch()
    }

    private func publisher(
        _ server: RedisServer, _ target: RevocationSettings.Target, logger: Logger = quiet
    ) -> RevocationPublisher {
        RevocationPublisher(server.settings, RevocationSettings(target: target), logger: logger)
    }

    @Test("A stream gets every key in order, also beyond the send window, and is trimmed")
    func stream() async throws {
        try await withRedisServer { server in
            let publisher = self.publisher(server, .stream("r", maxLength: 100_000))
            try await self.tell(publisher, [])
            let keys = (1...1500).map { "ds-\($0)" }
            try await self.tell(publisher, keys)
            try await withConnection(server.settings) { connection in
                let entries = try await connection.command(RESPCommand("XRANGE", "r", "-", "+")).array ?? []
                let fields = entries.compactMap { $0.array?.last?.array?.compactMap(\.string) }
                #expect(fields == keys.enumerated().map { ["key", $1, "entry", "\($0 + 1)-0"] })
            }
            await publisher.shutDown()
        }
    }

    @Test("Evictions and resets have a kind and a reason after key and entry; a revocation has neither")
    func kinds() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let publisher = self.publisher(server, .stream("r", maxLength: 10))
                try await self.tell(publisher, ["a"])
                try await self.tell(publisher, ["b"], evictedFor: "malformed_event")
                try await publisher.reset(StoreReset(store: "sessions", reason: "trimmed"))
                #expect(
                    try await connection.entries("r") == [
                        ["key", "a", "entry", "1-0"],
                        ["key", "b", "entry", "1-0", "kind", "eviction", "reason", "malformed_event"],
                        ["key", "", "entry", "0-0", "kind", "reset", "store", "sessions", "reason", "trimmed"],
                    ])
                await publisher.shutDown()
            }
        }
    }

    @Test("A channel's subscribers get JSON")
    func channel() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { listener in
                // The first two have no answer, so the answers are the subscription's and those of two messages.
                let pending = listener.submit([
                    RESPCommand("CLIENT", "REPLY", "SKIP"), RESPCommand("PING"), RESPCommand("SUBSCRIBE", "c"),
                ])
                _ = try await pending[0].reply()
                let publisher = self.publisher(server, .channel("c"))
                try await self.tell(publisher, ["ds-1"])
                try await self.tell(publisher, ["ds-2"], evictedFor: "store_failure")
                let message = try await pending[1].reply().value()
                #expect(
                    message.array?.compactMap(\.string) == ["message", "c", "{\"key\":\"ds-1\",\"entry\":\"1-0\"}"])
                let eviction = try await pending[2].reply().value()
                #expect(
                    eviction.array?.compactMap(\.string) == [
                        "message", "c",
                        "{\"key\":\"ds-2\",\"entry\":\"1-0\",\"kind\":\"eviction\",\"reason\":\"store_failure\"}",
                    ])
                await publisher.shutDown()
            }
        }
    }

    @Test("Revocations wait for an unreachable server; none is lost")
    func retry() async throws {
        try await withRedisServer { server in
            let log = RecordingLog()
            let publisher = self.publisher(server, .stream("r", maxLength: 10), logger: log.logger(label: "test"))
            try await self.tell(publisher, ["first"])
            server.kill()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.tell(publisher, ["second"]) }
                try await eventually("tried in vain") { log.lines.contains { $0.message.contains("retrying") } }
                try await server.start()
                try await group.waitForAll()
            }
            try await withConnection(server.settings) { connection in
                let length = try await connection.command(RESPCommand("XLEN", "r"))
                #expect(length == .integer(1))
            }
            await publisher.shutDown()
        }
    }

    @Test(
        "Revocations wait for a server that is out of memory or cannot save; none is lost",
        arguments: ["OOM", "MISCONF"])
    func full(state: String) async throws {
        try await withRedisServer(.init(arguments: ["--dbfilename", "folder.rdb"])) { server in
            let log = RecordingLog()
            let publisher = self.publisher(server, .stream("r", maxLength: 10), logger: log.logger(label: "test"))
            try await withConnection(server.settings) { connection in
                try await connection.become(state)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await self.tell(publisher, ["one", "two"]) }
                    try await eventually("tried in vain") {
                        log.lines.contains { $0.metadata["error"]?.contains("\"\(state) ") == true }
                    }
                    try await connection.recover(from: state)
                    try await group.waitForAll()
                }
                #expect(try await connection.entries("r").map { $0[1] } == ["one", "two"])
            }
            await publisher.shutDown()
        }
    }

    @Test("Permanent errors are thrown, and a stop ends the wait with an error")
    func failures() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { _ = try await $0.command(RESPCommand("SET", "r", "x")) }
            let publisher = self.publisher(server, .stream("r", maxLength: 10))
            let error = await #expect(throws: RedisError.self) { try await self.tell(publisher, ["a"]) }
            #expect(error?.code == .wrongType)
            server.kill()
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    let stopped = await #expect(throws: RedisError.self) { try await self.tell(publisher, ["b"]) }
                    #expect(stopped?.message.contains("1 of the revocations") == true, "\(stopped?.message ?? "")")
                }
                publisher.stop()
            }
            await publisher.shutDown()
        }
    }
}

extension RedisConnection {
    /// Brings the server into a state in which it refuses some or all writes: `OOM` or `MISCONF`.
    func become(_ state: String) async throws {
        switch state {
        case "OOM": _ = try await self.command(RESPCommand("CONFIG", "SET", "maxmemory", 1))
        default:
            // A failed save: the snapshot's directory is gone.
            _ = try await self.command(RESPCommand("SET", "unsaved", "x"))
            _ = try await self.command(RESPCommand("CONFIG", "SET", "save", "3600 1"))
            let folder = try await self.command(RESPCommand("CONFIG", "GET", "dir")).array?.last?.string ?? ""
            try FileManager.default.createDirectory(
                atPath: "\(folder)/folder.rdb", withIntermediateDirectories: true)
            _ = try await self.command(RESPCommand("BGSAVE"))
            try await eventually("the save has failed") {
                try await self.command(RESPCommand("INFO", "persistence")).string?
                    .contains("rdb_last_bgsave_status:err") == true
            }
        }
    }

    /// Ends the state.
    func recover(from state: String) async throws {
        switch state {
        case "OOM": _ = try await self.command(RESPCommand("CONFIG", "SET", "maxmemory", 0))
        default: _ = try await self.command(RESPCommand("CONFIG", "SET", "save", ""))
        }
    }
}
