import RESP
import RedisClient
import Testing

/// Links of 20 KB/s to 1 MB/s with the default timeouts.
@Suite(.serialized, .enabled(if: LimitTable.isWanted)) struct SlowLimitsTests {
    /// What waits behind a link.
    struct Load: Sendable, CustomTestStringConvertible {
        var rate: Int
        var count: Int
        var bytes: Int
        var testDescription: String {
            "\(self.rate / 1000) KB/s, \(self.count) entries of \(SlowLimitsTests.size(self.bytes))"
        }
        /// The outcome of each entry: texts above `max_record_bytes` do not fit into the store.
        var outcome: String { self.bytes > 60_000 ? "evicted" : "applied" }
    }

    static func size(_ bytes: Int) -> String {
        bytes >= 1 << 20 ? "\(bytes >> 20) MiB" : bytes >= 1000 ? "\(bytes / 1000) KB" : "\(bytes) B"
    }

    private static let loads = [
        Load(rate: 20_000, count: 150, bytes: 1000), Load(rate: 20_000, count: 6, bytes: 40_000),
        Load(rate: 100_000, count: 1000, bytes: 1000), Load(rate: 100_000, count: 2, bytes: 1 << 20),
        Load(rate: 1_000_000, count: 10_000, bytes: 1000), Load(rate: 1_000_000, count: 3, bytes: 8 << 20),
    ]

    private func throughProxy(
        _ rate: Int, _ fill: (RedisConnection) async throws -> Void, source: String,
        _ body: (LimitWorker, RedisConnection, ContinuousClock.Instant) async throws -> Void
    ) async throws {
        try await withRedisServer(RedisServer.Options(usesTCP: true)) { server in
            try await withConnection(server.settings) { connection in
                try await fill(connection)
                let proxy = try FaultProxy(to: server.address)
                defer { proxy.stop() }
                proxy.set(.throttle(rate))
                let start = ContinuousClock.now
                let file = LimitWorker.file(source: source, redis: "address: \"\(proxy.address)\"")
                try await LimitWorker.with(file) { try await body($0, connection, start) }
            }
        }
    }

    private static let readings = ["start: beginning", "start: beginning, group: g"]

    @Test("All pending entries are read, however slow the link", arguments: loads, readings)
    func backlog(load: Load, source: String) async throws {
        try await self.throughProxy(
            load.rate, { try await $0.addTexts(load.count, bytes: load.bytes) },
            source: "\(source), read_count: 128, catch_up_count: 4096, read_block: 1s"
        ) { worker, _, start in
            try await eventually("all read") { worker.lineCount >= load.count }
            let took = LimitTable.seconds(since: start)
            #expect(worker.journal.map(\.entry) == (1...load.count).map { "\($0)-0" })
            #expect(worker.journal.allSatisfy { $0.outcome == load.outcome })
            let reconnects = try await worker.metric("sluice_source_reconnects_total")
            #expect(reconnects == 0, "\(worker.process.errors)")
            try await worker.stop()
            let how = source.contains("group") ? "in a group" : "alone"
            try LimitTable.add(
                .slow, "\(load.testDescription), \(how)",
                "\(load.count) of \(load.count) \(load.outcome) in \(took), \(reconnects) reconnects")
        }
    }

    @Test(
        "A large last entry does not keep a worker from starting at the tail", arguments: [20_000, 100_000, 1_000_000])
    func tail(rate: Int) async throws {
        try await self.throughProxy(
            rate, { try await $0.addTexts(1, bytes: 8 << 20) }, source: "start: tail, check_interval: 500ms"
        ) { worker, connection, start in
            try await worker.ready()
            let took = LimitTable.seconds(since: start)
            // Several looks at the stream, whose last entry is still the large one.
            try await Task.sleep(for: .seconds(3))
            #expect(try await worker.get("/readyz").status == 200)
            #expect(try await worker.metric("sluice_source_reconnects_total") == 0)
            try await connection.addTexts(1, bytes: 10, from: 2)
            try await eventually("read") { worker.journal.map(\.entry) == ["2-0"] }
            try await worker.stop()
            try LimitTable.add(
                .slow, "\(rate / 1000) KB/s, last entry of 8 MiB, start: tail",
                "ready after \(took) and through six looks at the stream, the next entry applied, 0 reconnects")
        }
    }

    @Test("Stores are filled from keys, however slow the link", arguments: [(20_000, 30, 8), (1_000_000, 300, 40)])
    func bootstrap(rate: Int, count: Int, kilobytes: Int) async throws {
        let script = """
            for i = 1, tonumber(ARGV[1]) do
              redis.call('HSET', 'k:' .. i, 'id', 'k' .. i, 'status', 'active', 'text', string.rep('x', ARGV[2]))
            end
            """
        try await self.throughProxy(
            rate,
            {
                let command = RESPCommand("EVAL", script, 1, "k:1", count, kilobytes << 10)
                _ = try await $0.command(command, timeout: .seconds(60))
            }, source: "bootstrap: { keys: { match: \"k:*\", type: hash } }"
        ) { worker, _, start in
            try await worker.ready()
            let took = LimitTable.seconds(since: start)
            let page = try await worker.get("/metrics").body
            #expect(page.contains("sluice_store_entries{store=\"things\"} \(count)\n"), "\(page)")
            let reconnects = try await worker.metric("sluice_source_reconnects_total")
            try await worker.stop()
            try LimitTable.add(
                .slow, "\(rate / 1000) KB/s, bootstrap from \(count) keys of \(kilobytes) KiB",
                "\(count) of \(count) keys in the store, ready after \(took), \(reconnects) reconnects")
        }
    }
}
