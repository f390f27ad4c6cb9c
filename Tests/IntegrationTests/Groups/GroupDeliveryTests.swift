import ComponentKit
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing

/// What counts as a delivery: that an entry is handed to the stages, and nothing else.
@Suite struct GroupDeliveryTests {
    /// What a read may take beyond its block: more than a busy machine takes for it.
    private static let margin = Duration.seconds(10)
    /// Longer than the block and the margin of a read.
    private static let work = Duration.seconds(12)

    @Test("A batch that takes longer than the read timeout does not affect the read-ahead connection")
    func slowBatch() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.addNumbered(1...120)
                let worker = GroupWorker(
                    server, "w", count: 40, block: .milliseconds(100), margin: Self.margin, maxDeliveries: 1
                ) {
                    if [1, 50].contains($0.id.milliseconds) { try await Task.sleep(for: Self.work) }
                }
                try await worker.run {
                    try await eventually("all delivered") { worker.ids.count == 120 }
                }
                #expect(worker.source.status.reconnects == 0)
                #expect(worker.deliveries.allSatisfy { $0.deliveries == 1 && !$0.isRefused })
                #expect(worker.ids == numbered(1...120))
            }
        }
    }

    @Test(
        "A batch that takes longer than the read timeout does not affect a worker without a group either",
        arguments: [1, 3])
    func slowBatchAlone(streams: Int) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for index in 1...200 { try await connection.add("s", "\(index)") }
                var settings = RedisStreamSettings(stream: "s")
                settings.start = .beginning
                settings.readCount = 100
                (settings.readBlock, settings.readMargin) = (.milliseconds(100), Self.margin)
                if streams > 1 { settings.streams = ["s", "other", "third"] }
                let (source, delivered) = (RedisStreamSource(server.settings, settings, logger: quiet), Delivered())
                try await withRunning(
                    source,
                    { batch in
                        if delivered.count == 0 { try await Task.sleep(for: Self.work) }
                        delivered.take(batch)
                    }
                ) {
                    try await eventually("all delivered") { delivered.count >= 200 }
                }
                #expect(source.status.reconnects == 0 && delivered.count == 200)
            }
        }
    }

    @Test("Repeated disconnects neither refuse an entry that no stage has seen nor duplicate one")
    func cuts() async throws {
        try await withRedisServer(RedisServer.Options(usesTCP: true)) { server in
            let proxy = try FaultProxy(to: server.address)
            defer { proxy.stop() }
            try await withConnection(server.settings) { connection in
                try await connection.addNumbered(1...200)
                let worker = GroupWorker(
                    server, "w", count: 32, maxDeliveries: 1, redis: RedisSettings(address: proxy.address)
                ) {
                    // The next read is under way, or its reply is here: both are lost with the connection.
                    guard $0.id.milliseconds % 32 == 5 else { return }
                    try await Task.sleep(for: .milliseconds(50))
                    let before = proxy.cuts
                    proxy.set(.cut)
                    // Until the proxy has done it; there is nothing to cut if the connection was lost by itself.
                    for _ in 0..<100 where proxy.cuts == before { try await Task.sleep(for: .milliseconds(10)) }
                    proxy.set(.pass)
                }
                try await worker.run {
                    try await eventually("all delivered") { worker.ids.count >= 200 }
                    try await eventually("nothing is pending") { try await connection.pendingEntries().isEmpty }
                }
                #expect(worker.source.status.reconnects > 0)
                #expect(worker.deliveries.allSatisfy { $0.deliveries == 1 && !$0.isRefused })
                #expect(worker.ids.sorted() == numbered(1...200))
            }
        }
    }

    @Test("Entries that a killed worker had only read ahead are processed, even with one allowed delivery")
    func killed() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.addNumbered(1...40)
                try await connection.makeGroup()
                try await connection.takeAndDie("w", 16)
                try await connection.takeAndDie("dead", 16)
                let worker = GroupWorker(server, "w", claimAfter: .milliseconds(500), maxDeliveries: 1)
                try await worker.run {
                    try await eventually("all delivered") { worker.ids.count >= 40 }
                    try await eventually("nothing is pending") { try await connection.pendingEntries().isEmpty }
                }
                #expect(worker.ids.sorted() == numbered(1...40) && !worker.deliveries.contains { $0.isRefused })
            }
        }
    }
}
