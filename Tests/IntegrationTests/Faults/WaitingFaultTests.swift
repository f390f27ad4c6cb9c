import Foundation
import NIOCore
import RESP
import RedisClient
import StageKit
import StageTestKit
import Testing

@testable import Commands

/// A worker whose webhook does not answer for a while.
@Suite struct WaitingFaultTests {
    /// How the worker reads.
    enum Reading: String, CaseIterable, Sendable {
        case follower, group, lanes, streams

        var source: String {
            switch self {
            case .follower: "stream: events, max_staleness: 3s, read_block: 200ms, read_count: 8"
            case .group: "stream: events, read_block: 200ms, read_count: 8, group: { name: g }"
            case .lanes: "stream: events, max_staleness: 3s, read_block: 200ms, read_count: 8"
            case .streams: "streams: [events, others], max_staleness: 3s, read_block: 200ms, read_count: 8"
            }
        }

        /// The stream whose entries wait behind the stalled batch of `events`.
        var other: String { self == .streams ? "others" : "events" }

        /// A worker of a group does not know how fresh its stores are.
        var isFresh: Bool { self != .group }
    }

    private static func file(_ reading: Reading, redis: String, folder: URL, hook: String) -> String {
        """
        pipeline: waiting
        redis: { address: "\(redis)", timeout: 20s }
        admin: { listen: "unix:\(folder.path)/admin" }
        source: { redis_stream: { \(reading.source) } }
        \(reading == .lanes ? "lanes: { count: 2, key: id }\n" : "")stores: { sessions: { memory: { key: id } } }
        stages:
          - decode: { fields: { id: { required: true }, status: { required: true } } }
          - upsert: { store: sessions }
          - webhook: { url: "\(hook)", fields: [id, status], timeout: 4m, max_in_flight: 8 }
        """
    }

    private static func get(_ folder: URL, _ path: String) async throws -> (status: UInt, body: String) {
        var body = ByteBuffer()
        let client = AdminClient(address: "unix:\(folder.path)/admin")
        let status = try await client.get(path) { _, piece in body.writeImmutableBuffer(piece) }
        return (status, AdminClient.line(body))
    }

    private static func add(
        _ connection: RedisConnection, _ stream: String, _ id: String, _ status: String
    ) async throws {
        let fields = ["id", id, "status", status].map { Array($0.utf8) }
        _ = try await connection.command(
            RESPCommand("XADD", arguments: [Array(stream.utf8), Array("*".utf8)] + fields))
    }

    @Test(
        "While a batch waits, the worker is alive and not ready, and lookups are refused as stale",
        arguments: Reading.allCases)
    func waiting(reading: Reading) async throws {
        let gate = TestGate(isOpen: true)
        let hook: @Sendable (String, Int) async -> Int = { _, _ in
            await gate.pass()
            return 200
        }
        try await withRedisServer(RedisServer.Options(usesTCP: true)) { server in
            try await HookServer.with(hook) { target, url in
                // A server that is shut down waits for its requests.
                defer { gate.open() }
                try await withFolder { folder in
                    let text = Self.file(reading, redis: "\(server.address)", folder: folder, hook: url)
                    try Data(text.utf8).write(to: folder.appendingPathComponent("p.yaml"))
                    let listener = try NotifyListener(folder.path + "/notify")
                    let worker = try SluiceProcess(
                        ["run", "p.yaml"], in: folder, environment: ["NOTIFY_SOCKET": folder.path + "/notify"])
                    defer { worker.kill() }
                    try await eventually("ready") {
                        (try? await Self.get(folder, "/readyz").status) == 200
                    }
                    try await withConnection(server.settings) { connection in
                        try await Self.add(connection, reading.other, "a", "active")
                        // Counted, not only received: its request must not wait at the gate as well.
                        try await eventually("applied") {
                            try await Self.get(folder, "/v1/pipeline").body.contains(/"read":1\b/)
                        }
                        #expect(target.bodies.count == 1)
                        try await self.stall(connection, folder, reading, gate, listener)
                        try await eventually("ready again") { try await Self.get(folder, "/readyz").status == 200 }
                        var found = try await Self.get(folder, "/v1/stores/sessions/a")
                        // On a busy machine the worker may become stale again at any time.
                        try await eventually("a lookup is answered") {
                            found = try await Self.get(folder, "/v1/stores/sessions/a")
                            return found.status != 503
                        }
                        #expect(found.body.contains("revoked"), "ready, and an entry of before is missing: \(found)")
                        try await eventually("the lag is over") {
                            try await Self.get(folder, "/metrics").body.contains("sluice_source_lag_seconds 0")
                        }
                    }
                    try await worker.signal(SIGTERM)
                    #expect(try await worker.end().status == 0)
                }
            }
        }
    }

    /// Has a batch wait with a revocation behind it, looks at what the worker says, and lets it go on.
    private func stall(
        _ connection: RedisConnection, _ folder: URL, _ reading: Reading, _ gate: TestGate,
        _ listener: NotifyListener
    ) async throws {
        gate.close()
        try await Self.add(connection, "events", "b", "active")
        try await eventually("a batch waits") { gate.waiting > 0 }
        try await Self.add(connection, reading.other, "a", "revoked")
        for index in 0..<100 { try await Self.add(connection, reading.other, "c\(index)", "active") }
        // There may be another reason before.
        try await eventually("not ready") {
            let found = try await Self.get(folder, "/readyz")
            return found.status == 503 && found.body.contains("in flight for more than 2s (stage \\\"webhook\\\")")
        }
        #expect(try await Self.get(folder, "/livez").status == 200)
        try await eventually("the lag is as long") {
            let lines = try await Self.get(folder, "/metrics").body.split(separator: "\n")
            let lag = lines.first { $0.hasPrefix("sluice_source_lag_seconds ") }
            return lag.flatMap { Double($0.split(separator: " ")[1]) } ?? 0 >= 2
        }
        let pipeline = try await Self.get(folder, "/v1/pipeline").body
        #expect(pipeline.contains(#""caught_up":false"#) && pipeline.contains(#""stage":"webhook""#), "\(pipeline)")
        if reading.isFresh {
            try await eventually("lookups are stale") {
                try await Self.get(folder, "/v1/stores/sessions/a").status == 503
            }
        }
        // A wait within a request's timeout is no hang, and whoever watches the worker is told why it is not ready.
        let before = listener.count("WATCHDOG=1")
        try await eventually("fed while the batch waits") { listener.count("WATCHDOG=1") >= before + 3 }
        try await eventually("the service manager is told the reason") {
            listener.lines.contains { $0.hasPrefix("STATUS=") && $0.contains("in flight for more than 2s") }
        }
        #expect(try await Self.get(folder, "/livez").status == 200)
        #expect(gate.waiting > 0)
        gate.open()
    }
}
