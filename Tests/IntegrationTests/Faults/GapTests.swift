import ComponentKit
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import SnapshotStores
import StageKit
import Testing

@Suite struct GapTests {
    /// Kills all connections and does something to the stream before the source is back: one transaction.
    private func whileAway(_ connection: RedisConnection, _ commands: [RESPCommand]) async throws {
        let kill = RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        for reply in connection.submit([RESPCommand("MULTI"), kill] + commands + [RESPCommand("EXEC")]) {
            let value = try await reply.reply().value()
            if case .error(let text) = value { Issue.record("\(text)") }
        }
    }

    private func entry(_ session: String, _ status: String, id: String = "*") -> RESPCommand {
        RESPCommand(
            "XADD", SessionPipeline.stream, id, "device_session_id", session, "user_id", "u", "client_public_key", "k",
            "status", status)
    }

    /// What may befall a stream while nobody reads it: the commands, and the kind of gap, nil for none.
    private var fates: [(String, GapKind?, [RESPCommand])] {
        let stream = SessionPipeline.stream
        return [
            ("nothing", nil, []),
            ("entries", nil, [entry("b", "active")]),
            ("trimmed up to the cursor", nil, [RESPCommand("XTRIM", stream, "MAXLEN", 0), entry("b", "active")]),
            (
                "trimmed past the cursor", .trimmed,
                [entry("a", "revoked"), entry("b", "active"), RESPCommand("XTRIM", stream, "MAXLEN", 1)]
            ),
            (
                "an unread entry deleted", .entriesDeleted,
                [
                    entry("a", "revoked", id: "99999999999998-0"), entry("b", "active", id: "99999999999999-0"),
                    RESPCommand("XDEL", stream, "99999999999998-0"),
                ]
            ),
            ("a read entry deleted", nil, [RESPCommand("XDEL", stream, "2-0")]),
            ("deleted", .deleted, [RESPCommand("DEL", stream)]),
            ("recreated, ids going on", .recreated, [RESPCommand("DEL", stream), entry("b", "active")]),
            ("recreated, ids from before", .wentBack, [RESPCommand("DEL", stream), entry("b", "active", id: "1-0")]),
            ("added and removed", .trimmed, [entry("a", "revoked"), RESPCommand("XTRIM", stream, "MAXLEN", 0)]),
        ]
    }

    @Test("Each change of a stream during a disconnect is detected, and a gap empties the stores")
    func fates() async throws {
        for (name, kind, commands) in self.fates {
            try await withRedisServer { server in
                try await withConnection(server.settings) { connection in
                    let session = try SessionPipeline(server.address, ["start": "beginning"])
                    let hasCounts = ServerVersion.underTest.isRedis(7, 0)
                    for index in 1...4 { try await connection.addSession("old\(index)", id: "\(index)-0") }
                    try await connection.addSession("a", id: "5-0")
                    try await session.run {
                        try await session.caughtUp(EntryID(milliseconds: 5, sequence: 0))
                        #expect(session.sessions.count == 5)
                        try await self.whileAway(connection, commands)
                        try await eventually("taken up again: \(name)") { session.status.reconnects > 0 }
                        try await session.caughtUp()
                        let gaps = session.status.gaps
                        if hasCounts {
                            #expect(gaps == (kind.map { [$0.rawValue: 1] } ?? [:]), "\(name)")
                        } else if let kind, [.deleted, .recreated, .wentBack].contains(kind) {
                            #expect(!gaps.isEmpty, "\(name)")
                        }
                        let expectsB =
                            commands.contains(self.entry("b", "active"))
                            || commands.contains(self.entry("b", "active", id: "1-0"))
                            || commands.contains(self.entry("b", "active", id: "99999999999999-0"))
                        var expected: [String: String] = expectsB ? ["b": "active"] : [:]
                        if gaps.isEmpty {
                            for key in ["old1", "old2", "old3", "old4", "a"] { expected[key] = "active" }
                        }
                        // Without counts, a loss may stay unnoticed, and a trim of read entries looks like one.
                        if !hasCounts, kind != nil, gaps.isEmpty { return }
                        try await eventually("as it should be: \(name), \(session.sessions)") {
                            session.sessions == expected
                        }
                    }
                }
            }
        }
    }

    @Test("Entries trimmed before a lagging reader reads them are detected without a lost connection")
    func trimmedUnderTheReader() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                var settings = RedisStreamSettings(stream: "s")
                (settings.start, settings.readCount, settings.checkInterval) = (.beginning, 1, .milliseconds(10))
                for index in 1...200 { try await connection.add("s", "\(index)", id: "\(index)") }
                let source = RedisStreamSource(server.settings, settings, logger: quiet)
                let delivered = Delivered()
                try await withRunning(
                    source,
                    { batch in
                        delivered.take(batch)
                        if batch.lastID == EntryID(milliseconds: 20, sequence: 0), source.status.gaps.isEmpty {
                            _ = try await connection.command(RESPCommand("XTRIM", "s", "MINID", 101))
                        }
                    }
                ) {
                    if ServerVersion.underTest.isRedis(7, 0) {
                        try await eventually("missed") { source.status.gaps["trimmed"] == 1 }
                    }
                    try await eventually("read") { delivered.texts.last == "200" }
                }
            }
        }
    }

    @Test("Trimming a stream does not affect a reader that keeps up")
    func keptShort() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let session = try SessionPipeline(server.address, ["check_interval": "10ms"])
                try await session.run {
                    try await eventually("reading") { session.status.state == .reading }
                    for index in 1...300 {
                        let id = try await connection.addSession("s\(index % 7)")
                        try await eventually("read") { session.status.cursor == id }
                        if index % 3 == 0 {
                            _ = try await connection.command(RESPCommand("XTRIM", SessionPipeline.stream, "MAXLEN", 0))
                        }
                    }
                    #expect(session.status.gaps.isEmpty)
                    #expect(session.sessions.count == 7)
                }
            }
        }
    }

    @Test("With resync, lookups continue, and unconfirmed snapshots are removed at the end")
    func resync() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let session = try SessionPipeline(server.address, ["start": "beginning", "on_gap": "resync"])
                for index in 1...4 { try await connection.addSession("old\(index)") }
                let last = try await connection.addSession("kept")
                let isActive = session.store.condition("status", equals: "active")
                try await session.run {
                    try await session.caughtUp(last)
                    try await self.whileAway(
                        connection,
                        [
                            self.entry("old1", "revoked"), self.entry("kept", "active"), self.entry("new", "active"),
                            RESPCommand("XTRIM", SessionPipeline.stream, "MAXLEN", 2),
                        ])
                    try await eventually("noticed") { session.status.gaps == ["trimmed": 1] }
                    #expect(session.store.ask("kept", isActive) != .absent)
                    try await eventually("confirmed") { session.sessions == ["kept": "active", "new": "active"] }
                    #expect(session.store.count == 2)
                    try await session.caughtUp()
                    #expect(session.store.ask("old1", isActive) == .absent)
                }
            }
        }
    }

    @Test("A disconnected stream is read again if another stream empties the stores")
    func refillWhileAway() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for stream in ["a", "b"] {
                    _ = try await connection.command(RESPCommand("XADD", stream, "1-1", "id", "old-\(stream)"))
                }
                let text = """
                    pipeline: p
                    redis: { address: "\(server.address)" }
                    source:
                      redis_stream:
                        streams: [a, b]
                        bootstrap: stream
                        read_block: 100ms
                        reconnect: { first_delay: 300ms, max_delay: 300ms }
                    stores: { s: { memory: { key: id } } }
                    stages:
                      - decode: { event: e, fields: { id: { required: true } } }
                      - upsert: { store: s }
                    """
                try await withPipeline(text) { pipeline in
                    let store = try #require(pipeline.stores["s"])
                    func holds(_ keys: String...) -> Bool {
                        store.freshness?.isBeingFilled == false && store.count == keys.count
                            && keys.allSatisfy { store.snapshot(for: Array($0.utf8).span) != nil }
                    }
                    try await eventually("filled") { holds("old-a", "old-b") }
                    for round in 1...3 {
                        // Both are away when a's reader finds out.
                        let commands = [
                            RESPCommand("MULTI"), RESPCommand("DEL", "a"),
                            RESPCommand("XADD", "a", "\(round + 1)-1", "id", "new-\(round)"),
                            RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"), RESPCommand("EXEC"),
                        ]
                        for reply in connection.submit(commands) { _ = try await reply.reply() }
                        try await eventually("filled again, round \(round)") { holds("new-\(round)", "old-b") }
                    }
                }
            }
        }
    }

    @Test("With halt, a gap ends the run with an error that says so")
    func halt() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let session = try SessionPipeline(server.address, ["on_gap": "halt"])
                let error = await #expect(throws: RedisError.self) {
                    try await session.run {
                        try await eventually("reading") { session.status.state == .reading }
                        let id = try await connection.addSession("a")
                        try await session.caughtUp(id)
                        _ = try await connection.command(RESPCommand("DEL", SessionPipeline.stream))
                        try await self.whileAway(connection, [])
                        try await eventually("ended") { session.status.state == .stopped }
                    }
                }
                #expect(error?.code == .gap && error?.message.contains("(deleted)") == true)
            }
        }
    }

    @Test("With a limit of attempts, the run ends after that many consecutive failures")
    func attempts() async throws {
        let session = try SessionPipeline(
            .unix(path: "/nonexistent/s"), ["reconnect": "{ attempts: 2, first_delay: 1ms, max_delay: 1ms }"])
        let error = await #expect(throws: RedisError.self) {
            try await session.run { try await eventually("ended") { session.status.state == .stopped } }
        }
        #expect(error?.message.contains("gave up after 2 attempts") == true)
    }
}
