import Foundation
import PipelineEngine
import RESP
import RedisClient
import StageKit
import Testing

/// Workers of a group that share a store: each is ahead of the others for some keys.
@Suite struct GroupRereadTests {
    /// Some among all tests; `make groups` has as many as take part in a storm.
    private static var revocations: Int {
        ProcessInfo.processInfo.environment["SLUICE_GROUPS"] == nil ? 600 : 4000
    }
    /// Entries between a key's revocation and its next snapshot: another worker has that one in its hands.
    private static let distance = 20

    private func file(_ server: RedisServer, consumer: String) -> String {
        """
        pipeline: sessions
        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
        source:
          redis_stream:
            stream: s
            start: beginning
            read_count: 16
            check_interval: 100ms
            group: { name: g, consumer: \(consumer) }
        stores: { sessions: { redis: { key: k } } }
        stages:
          - decode: { fields: { k: { required: true }, status: { required: true } } }
          - upsert: { store: sessions }
          - revoke: { key: k }
            when: { status: revoked }
        """
    }

    @Test("Three workers with small reads report every revocation, even if another is ahead with the same key")
    func allAreTold() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                var entries: [[(String, String)]] = []
                for number in 0..<Self.revocations + Self.distance {
                    if number < Self.revocations { entries.append([("k", "k\(number)"), ("status", "revoked")]) }
                    let before = number - Self.distance
                    if before >= 0 { entries.append([("k", "k\(before)"), ("status", "active")]) }
                }
                try await connection.addAll("s", entries)
                let told = OrderedMutex<Set<String>>([])
                var services = PipelineServices(logger: quiet)
                services.revocationHandler = RevocationCallback { key, _ in told.withLock { _ = $0.insert(key) } }
                func run(_ names: ArraySlice<String>, _ running: [Pipeline]) async throws {
                    guard let name = names.first else {
                        return try await eventually("all have their outcome") {
                            running.reduce(0) { $0 + $1.statistics.read } >= UInt64(entries.count)
                        }
                    }
                    try await withPipeline(self.file(server, consumer: name), services: services) {
                        try await run(names.dropFirst(), running + [$0])
                    }
                }
                try await run(["a", "b", "c"], [])
                let missing = (0..<Self.revocations).filter { number in told.withLock { !$0.contains("k\(number)") } }
                #expect(missing.isEmpty, "\(missing.count) of \(Self.revocations) revocations were not reported")
                for number in [0, Self.revocations / 2, Self.revocations - 1] {
                    let status = try await connection.command(RESPCommand("HGET", "sessions:k\(number)", "status"))
                    #expect(status.string == "active")
                }
            }
        }
    }
}
