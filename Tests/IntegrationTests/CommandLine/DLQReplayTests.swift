import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import StageKit
import Testing

/// What a replayed entry does to the stores: it is ordered by the id of its original.
@Suite struct DLQReplayTests {
    /// Sessions that are told to a hook, before or behind their upsert; what the hook refuses is put aside.
    private static func file(
        _ server: RedisServer, store: String, url: String, hookFirst: Bool = false, start: String = "beginning"
    ) -> String {
        let upsert = "  - upsert: { store: sessions }"
        let hook = "  - webhook: { url: \"\(url)\", retries: 0, timeout: 5m }\n    on_failure: dead_letter"
        return """
            pipeline: sessions
            redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
            source: { redis_stream: { stream: ev, start: \(start), read_block: 100ms } }
            stores: { sessions: { \(store): { key: id } } }
            stages:
              - decode: { event: session, fields: { id: { required: true }, status: { required: true } } }
            \((hookFirst ? [hook, upsert] : [upsert, hook]).joined(separator: "\n"))
            """
    }

    private static func add(_ connection: RedisConnection, _ id: String, _ status: String) async throws -> EntryID {
        let answer = try await connection.command(RESPCommand("XADD", "ev", "*", "id", id, "status", status))
        return try #require(answer.string.flatMap { EntryID($0) })
    }

    private static func replayAll(_ file: String) async throws -> SluiceProcess.Ending {
        try await sluice("dlq", "replay", "--all", "--yes", "--file", "p.yaml", files: ["p.yaml": file])
    }

    private static func held(_ pipeline: Pipeline, _ key: String) async throws -> Snapshot? {
        let store = try #require(pipeline.stores["sessions"])
        if let remote = store.remote { return try await remote.lookUp(Array(key.utf8)) }
        return store.snapshot(for: key)
    }

    @Test(
        "A replayed snapshot does not bring a revoked session back",
        arguments: ["memory", "redis"], [false, true])
    func revoked(store: String, hookFirst: Bool) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await HookServer.with({ body, time in body.contains("active") && time == 1 ? 503 : 200 }) {
                    _, url in
                    let file = Self.file(server, store: store, url: url, hookFirst: hookFirst)
                    try await withPipeline(file) { pipeline in
                        _ = try await Self.add(connection, "s", "active")
                        let kept = try await Self.add(connection, "t", "active")
                        let revoked = try await Self.add(connection, "s", "revoked")
                        try await pipeline.untilDone(3)
                        let replay = try await Self.replayAll(file)
                        #expect(replay.status == 0 && replay.output.contains("added to ev as"), "\(replay)")
                        try await pipeline.untilDone(5)
                        let held = try await Self.held(pipeline, "s")
                        #expect(held?["status"] == "revoked" && held?.entryID == revoked)
                        // Nothing newer is known of the other: it is held as of its original.
                        let other = try await Self.held(pipeline, "t")
                        #expect(other?["status"] == "active" && other?.entryID == kept)
                        #expect(pipeline.isConserved)
                    }
                }
            }
        }
    }

    @Test(
        "An entry from before the worker's start does not create a key that the store lacks",
        arguments: ["memory", "redis"])
    func beforeTheStart(store: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await HookServer.with({ body, time in body.contains("active") && time == 1 ? 503 : 200 }) {
                    hook, url in
                    let file = Self.file(server, store: store, url: url, hookFirst: true)
                    _ = try await Self.add(connection, "s", "active")
                    try await withPipeline(file) { try await $0.untilDone(1) }
                    // Revoked while no worker runs: one that starts at the tail never learns of it.
                    _ = try await Self.add(connection, "s", "revoked")
                    let later = Self.file(server, store: store, url: url, hookFirst: true, start: "tail")
                    try await withPipeline(later) { pipeline in
                        try await eventually("it reads") { pipeline.source.status.isCaughtUp }
                        #expect(try await Self.replayAll(later).status == 0)
                        try await pipeline.untilDone(1)
                        #expect(try await Self.held(pipeline, "s") == nil)
                        // It has passed the stages before the store.
                        #expect(hook.bodies.count == 2 && Set(hook.keys).count == 1)
                    }
                }
            }
        }
    }

    @Test("A replayed entry that fails again keeps the id of its original, however often")
    func again() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await HookServer.with({ _, time in time < 4 ? 503 : 200 }) { _, url in
                    let file = Self.file(server, store: "memory", url: url, hookFirst: true)
                    try await withPipeline(file) { pipeline in
                        let original = try await Self.add(connection, "s", "active")
                        for round in 1...3 {
                            try await pipeline.untilDone(round)
                            let list = try await sluice(
                                "dlq", "list", "--format", "json", "--file", "p.yaml", files: ["p.yaml": file])
                            let isMarked = list.output.contains("\"original\":\"\(original)\"")
                            #expect(isMarked == (round > 1), "\(list)")
                            #expect(try await Self.replayAll(file).status == 0)
                        }
                        try await pipeline.untilDone(4)
                        #expect(try await Self.held(pipeline, "s")?.entryID == original)
                    }
                }
            }
        }
    }

    /// A dead-letter entry of `fields` fields, made by hand.
    private static func deadLetter(
        _ connection: RedisConnection, stream: String = "ev", id: String, fields: Int = 1, facts: [String] = []
    ) async throws -> String {
        var arguments = ["ev:dead", "*", "pipeline", "sessions", "stream", stream, "id", id] + facts
        for index in 0..<fields { arguments += ["field:f\(index)", "v"] }
        let answer = try await connection.command(RESPCommand("XADD", arguments: arguments.map(\.respBytes)))
        return try #require(answer.string)
    }

    @Test("An entry that cannot be replayed is reported with the reason, and the others are replayed")
    func unfit() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let file = Self.file(server, store: "memory", url: "http://127.0.0.1:1/hook")
                let foreign = try await Self.deadLetter(connection, stream: "other", id: "5-0")
                let large = try await Self.deadLetter(connection, id: "5-0", fields: 5000)
                let largest = try await Self.deadLetter(connection, id: "6-0", fields: 3900)
                let newer = try await Self.deadLetter(connection, id: "99999999999999-0")
                let malformed = try await Self.deadLetter(connection, id: "soon")
                let incomplete = try await Self.deadLetter(connection, id: "5-0", facts: ["incomplete", "true"])
                let added = try await Self.deadLetter(connection, id: "5-0", facts: ["added", "true"])
                let element = try await Self.deadLetter(connection, id: "5-0", facts: ["event", "5-0#2"])
                let good = try await Self.deadLetter(connection, id: "7-0")
                let ending = try await Self.replayAll(file)
                #expect(ending.status == 1)
                let lines = ending.output.split(separator: "\n").map(String.init)
                #expect(lines.count == 9, "\(ending)")
                for (deadLetter, text) in [
                    (foreign, "does not read the stream other"), (large, "more than 3900 fields"),
                    (largest, "added to ev as"), (newer, "above the ids of ev"), (malformed, "not a dead-letter entry"),
                    (good, "added to ev as"), (incomplete, "a value of the original was too large"),
                    (added, "the worker added this event"), (element, "it is the element 5-0#2"),
                ] {
                    #expect(
                        lines.contains { $0.hasPrefix("\(deadLetter): ") && $0.contains(text) }, "\(text): \(lines)")
                }
                #expect(try await connection.command(RESPCommand("EXISTS", "other")).integer == 0)
                let entries = try await connection.entries("ev")
                #expect(
                    entries.map { Array($0.prefix(2)) } == [["_sluice_original", "6-0"], ["_sluice_original", "7-0"]])
                #expect(try await connection.command(RESPCommand("XLEN", "ev:dead")).integer == 7)
            }
        }
    }
}
