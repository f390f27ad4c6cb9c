import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import StageKit
import StageTestKit
import Testing

@testable import RedisStreams

/// A store on a server of the test's own, and writers of it.
private struct StoreBench {
    let store: RedisStore
    let connection: RedisConnection

    /// Makes a store of what the file would say.
    static func with<R>(
        _ server: RedisServer, _ change: (inout RedisStoreSettings) -> Void = { _ in },
        _ body: (StoreBench) async throws -> R
    ) async throws -> R {
        var settings = RedisStoreSettings()
        settings.key = "id"
        change(&settings)
        let store = RedisStore(name: "sessions", settings, server: server.settings, logger: quiet)
        let result: Result<R, any Error>
        do {
            result = .success(
                try await withConnection(server.settings) { try await body(StoreBench(store: store, connection: $0)) })
        } catch { result = .failure(error) }
        await store.shutDown()
        return try result.get()
    }

    /// Has entries make changes as one batch: `+k5` holds k as of entry 5, `-k5` takes it out.
    func make(_ words: String...) async throws -> [StoreChange] { try await self.make(words) }

    /// The same with a list.
    func make(_ words: [String]) async throws -> [StoreChange] {
        let changes = words.map { word in
            let key = self.store.serverKey(Array(word.dropFirst().prefix(1).utf8).span)
            let entry = EntryID(milliseconds: UInt64(word.dropFirst(2)) ?? 0, sequence: 0)
            let change: SnapshotScript.Change = word.hasPrefix("+") ? .upsert : .evict
            let command = SnapshotScript.command(
                change, key: key, entry: entry, milliseconds: change == .evict ? 60_000 : 0,
                fields: change == .evict ? [] : [Array("v".utf8), Array(word.utf8)])
            return RedisStoreWriter.Change(
                request: BatchHistory.Request(key: key, entry: entry, change: change), command: command)
        }
        defer { self.store.endBatch(changes.map(\.request.key)) }
        return try await self.store.make(changes).map { try $0.get() }
    }

    func value(_ key: String) async throws -> String? { try await self.store.lookUp(Array(key.utf8))?["v"] }
}

@Suite struct RedisStoreTests {
    @Test("The scripts match their digests")
    func digest() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let answer = try await connection.command(RESPCommand("SCRIPT", "LOAD", SnapshotScript.source))
                #expect(answer.string == SnapshotScript.digest)
                let sweep = try await connection.command(RESPCommand("SCRIPT", "LOAD", StoreSweep.source))
                #expect(sweep.string == StoreSweep.digest)
            }
        }
    }

    @Test("Outcomes follow stream order, even if the script is loaded or dropped while changes are in flight")
    func scriptComesAndGoes() async throws {
        try await withRedisServer { server in
            try await StoreBench.with(server) { bench in
                let isOver = OrderedMutex(false)
                let settings = server.settings
                async let toggled: Void = withConnection(settings) { connection in
                    while !isOver.withLock({ $0 }) {
                        _ = try await connection.command(RESPCommand("SCRIPT", "FLUSH"))
                        _ = try await connection.command(RESPCommand("SCRIPT", "LOAD", SnapshotScript.source))
                    }
                }
                // Ten keys in turn, each held by ever newer entries: in stream order all of them are applied.
                let size = 2000
                // A round takes a debug build more than a second; `make scaleout` makes more of them.
                let isLong = ProcessInfo.processInfo.environment["SLUICE_SCALEOUT"] != nil
                for round in 0..<(isLong ? 20 : 5) {
                    let words = (1...size).map { "+\($0 % 10)\(round * size + $0)" }
                    let wrong = zip(words, try await bench.make(words)).filter { $1 != .applied }
                    #expect(wrong.isEmpty, "\(wrong.count) of \(size): \(wrong.prefix(3))")
                }
                isOver.withLock { $0 = true }
                try await toggled
            }
        }
    }

    @Test("Older and repeated entries change nothing, evictions are remembered, and a lost script is sent again")
    func monotonic() async throws {
        try await withRedisServer { server in
            try await StoreBench.with(server) { bench in
                #expect(try await bench.make("+a5", "+b5") == [.applied, .applied])
                #expect(try await bench.make("+a4", "+a5", "-b4") == [.older, .repeated, .older])
                _ = try await bench.connection.command(RESPCommand("SCRIPT", "FLUSH"))
                #expect(try await bench.make("-a5", "+a10", "-b6") == [.applied, .applied, .applied])
                #expect(try await bench.value("a") == "+a10")
                #expect(try await bench.make("-b6", "+b6", "+b5") == [.repeated, .older, .older])
                #expect(try await bench.value("b") == nil)
                // Ids beyond what Lua's numbers tell apart.
                #expect(try await bench.make("+c9007199254740993") == [.applied])
                #expect(try await bench.make("+c9007199254740992") == [.older])
                #expect(try await bench.make("+b7") == [.applied])
                let left = try await bench.connection.command(RESPCommand("PTTL", "sessions:b"))
                #expect(left.integer == -1)
                #expect(try await bench.connection.command(RESPCommand("HGETALL", "sessions:b")).array?.count == 4)
            }
        }
    }

    @Test("Evictions and snapshots are kept for their configured times")
    func times() async throws {
        try await withRedisServer { server in
            try await StoreBench.with(server, { $0.prefix = "p:" }) { bench in
                _ = try await bench.make("-a5")
                let memory = try await bench.connection.command(RESPCommand("PTTL", "p:a")).integer ?? 0
                #expect((1...60_000).contains(memory))
                #expect(try await bench.connection.command(RESPCommand("HGETALL", "p:a")).array?.count == 2)
            }
            let pipeline = """
                pipeline: p
                redis: { address: "\(server.address)", timeout: 20s }
                source: { redis_stream: { stream: s, start: beginning } }
                stores: { a: { redis: { key: id, prefix: "t:", ttl: 1h, eviction_memory: 2h } } }
                stages:
                  - decode: { event: e, fields: { id: { type: string, required: true }, n: { type: int64 } } }
                    on_failure: e
                  - upsert: { store: a }
                branches: { e: [{ evict: { store: a, key: id } }] }
                """
            try await withConnection(server.settings) { connection in
                try await connection.addAll(
                    "s", [[("id", "x")], [("id", "y"), ("n", "1")], [("id", "x"), ("n", "?")]])
                try await withPipeline(pipeline) { try await $0.untilDone(3) }
                let kept = try await connection.command(RESPCommand("PTTL", "t:y")).integer ?? 0
                #expect((3_000_000...3_600_000).contains(kept))
                let remembered = try await connection.command(RESPCommand("PTTL", "t:x")).integer ?? 0
                #expect((3_700_000...7_200_000).contains(remembered))
                let fields = try await connection.command(RESPCommand("HMGET", "t:y", "_entry", "id", "n"))
                #expect(fields.array?.map(\.string) == ["2-0", "y", "1"])
            }
        }
    }

    @Test("Emptying removes only the store's own hashes, nothing else with its prefix")
    func emptied() async throws {
        try await withRedisServer { server in
            try await StoreBench.with(server) { bench in
                for start in stride(from: 0, to: 2000, by: 500) {
                    let commands = (start..<(start + 500)).map { number in
                        // Snapshots and the memory of evicted ones.
                        RESPCommand(
                            "HSET", "sessions:\(number)", number % 3 == 0 ? "_evicted" : "_entry", "1-\(number)")
                    }
                    for reply in bench.connection.submit(commands) { _ = try await reply.reply() }
                }
                let others = [
                    RESPCommand("SET", "session:other", "1"), RESPCommand("SET", "sessions:text", "_entry"),
                    RESPCommand("HSET", "sessions:hash", "v", "1"), RESPCommand("SADD", "sessions:set", "_entry"),
                    RESPCommand("RPUSH", "sessions:list", "_entry"),
                    RESPCommand("XADD", "sessions:events", "5-0", "_entry", "1"),
                ]
                for command in others { _ = try await bench.connection.command(command) }
                bench.store.removeAll()
                #expect(try await bench.make("+a1") == [.applied])
                #expect(try await bench.connection.command(RESPCommand("DBSIZE")).integer == Int64(others.count + 1))
                #expect(try await bench.connection.command(RESPCommand("XLEN", "sessions:events")).integer == 1)
            }
        }
    }

    @Test("Losing write permission ends the batch: a failed revocation must not count as done")
    func rights() async throws {
        try await withRedisServer { server in
            try await StoreBench.with(server) { bench in
                #expect(try await bench.make("+a5") == [.applied])
                // In the script, then the script itself.
                for right in [["-hset"], ["-eval", "-evalsha"]] {
                    let words = ["SETUSER", "default"] + right
                    let answer = try await bench.connection.command(
                        RESPCommand("ACL", arguments: words.map { Array($0.utf8) }))
                    #expect(answer.string == "OK")
                    for change in ["-a6", "+a7"] {
                        let error = await #expect(throws: RedisError.self) { try await bench.make(change) }
                        #expect(error?.code == .permission, "\(right): \(change)")
                    }
                }
            }
        }
    }

    @Test("A full server refuses snapshots, the snapshot that cannot be replaced is removed, and evictions succeed")
    func full() async throws {
        try await withRedisServer { server in
            try await StoreBench.with(server) { bench in
                _ = try await bench.make("+a1", "+b1")
                _ = try await bench.connection.command(RESPCommand("CONFIG", "SET", "maxmemory", "1"))
                await #expect(throws: RefusedChange.self) { try await bench.make("+a2") }
                #expect(try await bench.value("a") == nil)
                #expect(try await bench.make("-b2") == [.applied])
                #expect(try await bench.value("b") == nil)
                _ = try await bench.connection.command(RESPCommand("CONFIG", "SET", "maxmemory", "0"))
                #expect(try await bench.make("+b1") == [.older])
                _ = try await bench.connection.command(RESPCommand("SET", "sessions:c", "text"))
                await #expect(throws: RefusedChange.self) { try await bench.make("+c2") }
            }
        }
    }

    @Test("Several workers on one stream, one restarted repeatedly, leave the newest state of each key")
    func racing() async throws {
        try await withRedisServer { server in
            let keys = 40
            let entries = (0..<4000).map { index in
                index % 13 == 7
                    ? [("id", "k\(index * 7 % keys)"), ("n", "bad")]
                    : [("id", "k\(index * 7 % keys)"), ("n", "\(index)")]
            }
            var expected: [String: String] = [:]
            for entry in entries { expected[entry[0].1] = entry[1].1 == "bad" ? nil : entry[1].1 }
            let text = """
                pipeline: p
                redis: { address: "\(server.address)", timeout: 20s }
                source: { redis_stream: { stream: s, start: beginning, read_count: 17 } }
                stores: { a: { redis: { key: id } } }
                stages:
                  - decode: { event: e, fields: { id: { type: string, required: true }, n: { type: int64 } } }
                    on_failure: e
                  - upsert: { store: a }
                branches: { e: [{ evict: { store: a, key: id } }] }
                """
            try await withConnection(server.settings) { connection in
                try await connection.addAll("s", entries)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for worker in 0..<3 {
                        group.addTask {
                            for run in 1...(worker == 0 ? 3 : 1) {
                                try await withPipeline(text) { pipeline in
                                    try await pipeline.untilDone(worker == 0 ? 1300 * run : entries.count)
                                    #expect(pipeline.isConserved)
                                }
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                for index in 0..<keys {
                    let held = try await connection.command(RESPCommand("HGET", "a:k\(index)", "n")).string
                    #expect(held == expected["k\(index)"], "k\(index)")
                }
            }
        }
    }

    @Test("A batch waits for an unreachable server and is counted once, or not at all after the patience")
    func away() async throws {
        try await withRedisServer { streams in
            try await withRedisServer { server in
                func text(_ patience: String) -> String {
                    """
                    pipeline: p
                    redis: { address: "\(streams.address)", timeout: 20s }
                    source: { redis_stream: { stream: s, start: beginning } }
                    stores: { a: { redis: { key: id, patience: \(patience), server: { address: "\(server.address)", \
                    timeout: 20s } } } }
                    stages:
                      - decode: { event: e, fields: { id: { type: string, required: true } } }
                      - upsert: { store: a }
                    """
                }
                try await withConnection(streams.settings) { connection in
                    try await connection.addAll("s", (0..<200).map { [("id", "k\($0)")] })
                }
                server.kill()
                await #expect(throws: RedisError.self) {
                    try await withPipeline(text("300ms")) { pipeline in
                        try await eventually("ended") { pipeline.source.status.state == .stopped }
                        #expect(pipeline.statistics.read == 0 && pipeline.source.status.cursor == .zero)
                    }
                }
                let log = RecordingLog()
                let services = PipelineServices(logger: log.logger(label: "test"))
                try await withPipeline(text("1h"), services: services) { pipeline in
                    try await eventually("reading") { pipeline.source.status.state == .reading }
                    try await eventually("tried in vain") { log.lines.contains { $0.message.contains("retrying") } }
                    #expect(pipeline.statistics.read == 0)
                    try await server.start()
                    try await pipeline.untilDone(200)
                    #expect(pipeline.endings == ["applied : 200"])
                    let store = try #require(pipeline.stores["a"] as? RedisStore)
                    #expect(try await store.lookUp(Array("k7".utf8))?.entryID == EntryID(milliseconds: 8, sequence: 0))
                }
            }
        }
    }

    @Test("Lookups over HTTP query the server; the worker does not list keys")
    func lookUps() async throws {
        try await withRedisServer { server in
            try await withWorker(server, ["--set", "stores.sessions={ redis: { key: device_session_id } }"]) {
                process, folder in
                let admin = "unix:\(folder.path)/admin"
                try await eventually("reading") { process.errors.contains("reading the stream") }
                try await withConnection(server.settings) { try await $0.addSession("a", "active") }
                try await eventually("served") {
                    try await sluice("lookup", "a", "--admin", admin).output.contains(#""status":"active""#)
                }
                let export = try await sluice("export", "--admin", admin)
                #expect(export.status == 1 && export.errors.contains("is on a Redis server"), "\(export)")
                try await process.signal(SIGTERM)
                #expect(try await process.end().status == 0)
            }
        }
    }
}
