import ComponentKit
import Logging
import PipelineEngine
import RESP
import RedisClient
import ServiceLifecycle
import SnapshotStores
import StageKit
import Testing
import Worker

/// A gateway that embeds the pipeline: only what the libraries offer to everybody is used here.
final class Gateway: Service {
    /// The pipeline, for the service group.
    let pipeline: Pipeline
    /// The session cache, in this process.
    private let sessions: MemoryStore
    private let cutOff: CutOff

    /// Why there is no gateway.
    struct NoStore: Error {}

    init(file: String, environment: [String: String], catalogue: Catalogue = .standard) throws {
        let cutOff = CutOff()
        let services = PipelineServices(
            logger: quiet, revocationHandler: RevocationCallback { key, _ in cutOff.add(key) })
        self.pipeline = try Pipeline(
            contentsOf: file, environment: environment, catalogue: catalogue, services: services)
        guard let sessions = self.pipeline.stores["sessions"] as? MemoryStore else { throw NoStore() }
        self.sessions = sessions
        self.cutOff = cutOff
    }

    private final class CutOff: Sendable {
        let keys = OrderedMutex<[String]>([])
        func add(_ key: String) { self.keys.withLock { $0.append(key) } }
    }

    /// The revoked sessions, in order.
    var cutOffKeys: [String] { self.cutOff.keys.withLock { $0 } }

    /// Whether a request of this session may pass.
    func isGood(_ session: String) -> Bool {
        self.sessions.snapshot(for: session)?["status"] == "active"
    }

    /// Serves until it is told to stop.
    func run() async throws {
        try await gracefulShutdown()
    }
}

/// A stage type of the gateway's own: counts what passes, by a name of its own in the file.
final class TallyStage: Stage {
    static let declaration = StageDeclaration<Bool>(
        name: "tally", summary: "Counts events.", settings: .object(SettingsSchema(true, [])), example: "tally: {}",
        failureReason: "tally_failure")

    private let effect: EffectID

    init(_ settings: Bool, _ setup: StageSetup) {
        self.effect = setup.effect("tally")
    }

    func process(_ event: inout Event) throws -> Verdict {
        event.record(self.effect)
        return .next
    }
}

@Suite struct EmbeddingTests {
    private func add(_ session: String, _ status: String, _ connection: RedisConnection) async throws {
        _ = try await connection.command(
            RESPCommand(
                "XADD", "gateway:session_events", "*", "device_session_id", session, "user_id", "u",
                "client_public_key", "k", "status", status))
    }

    /// Runs the gateway in a service group of its own beside `body`, then shuts the group down.
    private func withRunning(_ gateway: Gateway, _ body: () async throws -> Void) async throws {
        let services = ServiceGroup(services: [gateway, gateway.pipeline], logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await services.run() }
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            try result.get()
        }
    }

    @Test("A gateway looks up sessions in process, is called for revocations, and shuts down with its services")
    func gateway() async throws {
        try await withRedisServer { server in
            let gateway = try Gateway(
                file: ReferenceTests.pipelineFile, environment: ["REDIS_ADDRESS": "\(server.address)"])
            try await self.withRunning(gateway) {
                try await eventually("reading") { gateway.pipeline.source.status.state == .reading }
                #expect(!gateway.isGood("ds-1"))
                try await withConnection(server.settings) { connection in
                    try await self.add("ds-1", "active", connection)
                    try await self.add("ds-2", "active", connection)
                    try await eventually("both known") { gateway.isGood("ds-1") && gateway.isGood("ds-2") }
                    try await self.add("ds-1", "revoked", connection)
                    try await eventually("cut off") { gateway.cutOffKeys == ["ds-1"] }
                    #expect(!gateway.isGood("ds-1") && gateway.isGood("ds-2"))
                    try await self.add("ds-2", "asleep", connection)
                    try await eventually("fails closed") { !gateway.isGood("ds-2") }
                }
                #expect(gateway.cutOffKeys == ["ds-1"])
                try await eventually("counted") { gateway.pipeline.statistics.read == 4 }
            }
            #expect(gateway.pipeline.source.status.state == .stopped)
            #expect(gateway.pipeline.statistics.total(.applied) == 3)
            #expect(gateway.pipeline.statistics.total(.evicted) == 1)
            // What was held stays, so that requests in hand are still answered.
            #expect(gateway.pipeline.stores["sessions"]?.count == 1)
        }
    }

    @Test("Many threads look up while the stream is read, and see each session active until it is revoked")
    func lookupsBesideWriter() async throws {
        try await withRedisServer { server in
            let gateway = try Gateway(
                file: ReferenceTests.pipelineFile, environment: ["REDIS_ADDRESS": "\(server.address)"])
            try await self.withRunning(gateway) {
                try await eventually("reading") { gateway.pipeline.source.status.state == .reading }
                try await withConnection(server.settings) { connection in
                    for index in 0..<200 { try await self.add("ds-\(index)", "active", connection) }
                    try await eventually("known") { gateway.isGood("ds-199") }
                    let wrong = await withTaskGroup(of: Int.self) { group in
                        for _ in 0..<4 {
                            group.addTask { (0..<2000).count { !gateway.isGood("ds-\($0 % 200)") } }
                        }
                        return await group.reduce(0, +)
                    }
                    #expect(wrong == 0)
                    for index in 0..<200 { try await self.add("ds-\(index)", "revoked", connection) }
                }
                try await eventually("all cut off") { gateway.cutOffKeys.count == 200 }
                #expect((0..<200).allSatisfy { !gateway.isGood("ds-\($0)") })
                #expect(gateway.cutOffKeys == (0..<200).map { "ds-\($0)" })
            }
        }
    }

    @Test("A program adds its own stage type and uses it in its file")
    func ownStage() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { _ = try await $0.add("orders", "1", id: "5-1") }
            var catalogue = Catalogue.standard
            catalogue.add(TallyStage.self)
            let text = """
                pipeline: orders
                redis: { address: "\(server.address)", timeout: 20s }
                source: { redis_stream: { stream: orders, start: beginning } }
                stages: [ decode: { fields: { v: {} } }, tally ]
                """
            let effects = OrderedMutex<[[String]]>([])
            var services = PipelineServices(logger: quiet)
            services.makeObserver = { Effects { line in effects.withLock { $0.append(line) } } }
            let pipeline = try Pipeline(
                text: Array(text.utf8), file: "orders.yaml", catalogue: catalogue, services: services)
            let group = ServiceGroup(services: [pipeline], logger: quiet)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                try await eventually("handled") { !effects.withLock { $0.isEmpty } }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
            #expect(effects.withLock { $0 } == [["tally"]])
        }
    }

    @Test("A pipeline that cannot continue ends the service group with its error")
    func failure() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) {
                _ = try await $0.command(RESPCommand("SET", "gateway:session_events", "x"))
            }
            let gateway = try Gateway(
                file: ReferenceTests.pipelineFile, environment: ["REDIS_ADDRESS": "\(server.address)"])
            let group = ServiceGroup(services: [gateway, gateway.pipeline], logger: quiet)
            await #expect(throws: RedisError.self) { try await group.run() }
        }
    }

    /// Hands each event's effects to a closure.
    private final class Effects: OutcomeObserver {
        private let body: ([String]) -> Void

        init(_ body: @escaping ([String]) -> Void) {
            self.body = body
        }

        func observe(_ event: borrowing Event, _ record: EventResult) {
            self.body(record.effects)
        }

        func endBatch() async throws {}
    }
}
