import ComponentKit
import Foundation
import PipelineEngine
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing
import Worker

@Suite struct PublishingTests {
    private static let count = 1000

    /// Orders of which every seventh has an amount that is no number.
    private static let orders: [[(String, String)]] = (1...count).map { number in
        [("order_id", "o-\(number)"), ("amount", number % 7 == 0 ? "many" : "\(number)")]
    }
    private static let good = (1...count).filter { $0 % 7 != 0 }
    private static let bad = (1...count).filter { $0 % 7 == 0 }

    private func file(_ server: RedisServer, stage: String) -> String {
        """
        pipeline: orders
        redis: { address: "\(server.address)", timeout: 20s, connect_timeout: 20s }
        source: { redis_stream: { stream: orders, start: beginning, read_count: 64, read_block: 100ms } }
        stages:
          - decode: { event: order, fields: { order_id: { required: true }, amount: { type: int64 } } }
            on_failure: put_aside
          - \(stage)
            on_failure: put_aside
        branches:
          put_aside:
            - dead_letter
        """
    }

    @Test("Every entry is either published or dead-lettered, each in stream order")
    func conservation() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.addAll("orders", Self.orders)
                try await withPipeline(self.file(server, stage: "publish: { stream: out, fields: [order_id] }")) {
                    try await $0.untilDone(Self.count)
                    #expect($0.isConserved)
                    #expect($0.endings == ["applied : 858", "dead_lettered malformed_event: 142"])
                }
                #expect(try await connection.entries("out") == Self.good.map { ["order_id", "o-\($0)"] })
                let deadLetters = try await connection.entries("orders:dead")
                #expect(
                    deadLetters.map { Array($0.prefix(10)) }
                        == Self.bad.map { number in
                            [
                                "pipeline", "orders", "stream", "orders", "id", "\(number)-0", "stage", "decode",
                                "reason",
                                "malformed_event",
                            ]
                        })
                #expect(deadLetters.first?.suffix(4) == ["field:order_id", "o-7", "field:amount", "many"])
            }
        }
    }

    @Test("A server that is killed and restarted gets everything, in order except for repeats")
    func killed() async throws {
        let durable = RedisServer.Options(arguments: ["--appendonly", "yes", "--appendfsync", "always"])
        try await withRedisServer { server in
            try await withRedisServer(durable) { target in
                try await withConnection(server.settings) { try await $0.addAll("orders", Self.orders) }
                var services = PipelineServices(logger: quiet)
                services.publisher = RedisMessagePublisher(target.settings, patience: .seconds(600), logger: quiet)
                let file = self.file(server, stage: "publish: { stream: out, fields: [order_id] }")
                try await withPipeline(file, services: services) { pipeline in
                    try await eventually("begun") { pipeline.statistics.read > 0 }
                    target.kill()
                    try await target.start()
                    try await pipeline.untilDone(Self.count)
                    #expect(pipeline.isConserved)
                    #expect(pipeline.endings == ["applied : 858", "dead_lettered malformed_event: 142"])
                }
                try await withConnection(target.settings) { connection in
                    var first: [String] = []
                    for entry in try await connection.entries("out") where !first.contains(entry[1]) {
                        first.append(entry[1])
                    }
                    #expect(first == Self.good.map { "o-\($0)" })
                }
            }
        }
    }

    @Test("Events fail if the server stays unreachable, and are dropped if they cannot be dead-lettered either")
    func away() async throws {
        try await withRedisServer { server in
            try await withRedisServer { target in
                target.kill()
                let orders = Array(Self.orders.prefix(70))
                try await withConnection(server.settings) { try await $0.addAll("orders", orders) }
                var services = PipelineServices(logger: quiet)
                services.publisher = RedisMessagePublisher(target.settings, patience: .milliseconds(20), logger: quiet)
                let file = self.file(server, stage: "publish: { stream: out, fields: [order_id] }")
                try await withPipeline(file, services: services) { pipeline in
                    try await pipeline.untilDone(70)
                    #expect(pipeline.isConserved)
                    #expect(pipeline.endings == ["dropped malformed_event: 10", "dropped publish_failure: 60"])
                }
            }
        }
    }

    @Test("If the server refuses a dead-letter entry, the event keeps its failure")
    func refusedDeadLetter() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(RESPCommand("SET", "orders:dead", "no stream"))
                try await connection.addAll("orders", Array(Self.orders.prefix(14)))
                try await withPipeline(self.file(server, stage: "publish: { channel: out }")) { pipeline in
                    try await pipeline.untilDone(14)
                    #expect(pipeline.isConserved)
                    #expect(pipeline.endings == ["applied : 12", "dropped malformed_event: 2"])
                    let stage = pipeline.statistics.stages.first { $0.name == "put_aside/dead_letter" }
                    #expect(stage?.failed == 2)
                }
            }
        }
    }

    @Test("A webhook gets every event in order, with retries; refused events are dead-lettered")
    func webhook() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.addAll("orders", Array(Self.orders.prefix(200)))
                // Every tenth order is refused for good, every third one is answered 503 at first.
                let hook: @Sendable (String, Int) -> Int = { body, time in
                    let number = Int(body.filter(\.isNumber)) ?? 0
                    return number % 10 == 0 ? 422 : number % 3 == 0 && time == 1 ? 503 : 204
                }
                try await HookServer.with(hook) { target, url in
                    let stage = "webhook: { url: \"\(url)\", fields: [order_id], backoff: 1ms, timeout: 5m }"
                    try await withPipeline(self.file(server, stage: stage)) { pipeline in
                        try await pipeline.untilDone(200)
                        #expect(pipeline.isConserved)
                    }
                    let good = Self.good.filter { $0 <= 200 }
                    var expected: [String] = []
                    for number in good {
                        let isRepeated = number % 3 == 0 && number % 10 != 0
                        expected += Array(repeating: "{\"order_id\":\"o-\(number)\"}", count: isRepeated ? 2 : 1)
                    }
                    #expect(target.bodies == expected)
                    #expect(Set(target.keys) == Set(good.map { "orders/\($0)-0" }))
                    let deadLetters = try await connection.entries("orders:dead")
                    let refused = deadLetters.filter { $0.contains("webhook: the server answered 422") }
                    #expect(refused.count == good.count { $0 % 10 == 0 })
                    #expect(deadLetters.count == refused.count + 28)
                }
            }
        }
    }

    @Test(
        "A webhook server with an untrusted certificate gets nothing",
        .enabled(if: ServerVersion.hasTLS, "needs a server with TLS"))
    func untrusted() async throws {
        try await TestCertificates.with { certificates in
            try await withRedisServer { server in
                // Any server that speaks TLS will do: the handshake fails before a request is sent.
                try await withRedisServer(RedisServer.Options(tls: certificates)) { target in
                    try await withConnection(server.settings) { connection in
                        try await connection.addAll("orders", Array(Self.orders.prefix(1)))
                        let stage = "webhook: { url: \"https://\(target.address)/\", retries: 0, timeout: 60s }"
                        try await withPipeline(self.file(server, stage: stage)) { pipeline in
                            try await pipeline.untilDone(1)
                            #expect(pipeline.endings == ["dead_lettered webhook_failure: 1"])
                        }
                        let deadLetter = try await connection.entries("orders:dead").first ?? []
                        #expect(deadLetter.contains { $0.contains("CERTIFICATE_VERIFY_FAILED") }, "\(deadLetter)")
                    }
                }
            }
        }
    }

    @Test("A shutdown ends a worker whose webhook never answers, and nothing of that batch is counted")
    func cancelled() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { try await $0.addAll("orders", Array(Self.orders.prefix(5))) }
            let silent = try RawSocket.silentListener()
            defer { close(silent.descriptor) }
            let stage = "webhook: { url: \"http://127.0.0.1:\(silent.port)/\", timeout: 5m }"
            let pipeline = try Pipeline(
                text: Array(self.file(server, stage: stage).utf8), file: "pipeline.yaml", catalogue: .standard,
                services: PipelineServices(logger: quiet))
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await #expect(throws: CancellationError.self) { try await pipeline.run() }
                }
                try? await eventually("a request") {
                    var wanted = pollfd(fd: silent.descriptor, events: Int16(POLLIN), revents: 0)
                    return poll(&wanted, 1, 0) == 1
                }
                group.cancelAll()
            }
            #expect(pipeline.statistics.outcomes.allSatisfy { $0.count == 0 })
            #expect(pipeline.source.status.cursor == .zero)
        }
    }
}
