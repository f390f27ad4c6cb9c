import Admin
import ArgumentParser
import CoreMetrics
import Foundation
import Gateway
import HTTPBase
import PipelineEngine
import ServiceLifecycle
import SnapshotStores
import StageKit
import Worker

/// A filled store behind the gateway's HTTP door or Redis door, until standard input ends.
struct DoorChild: ParsableCommand {
    /// How the command line shows it.
    static let configuration = CommandConfiguration(
        commandName: "door", abstract: "Answer authorization requests from a filled store until standard input ends.")

    /// Keys that a load tool may ask for.
    private static let keyCount = 10_000

    /// What to run.
    @OptionGroup var file: PipelineArguments
    /// Sessions in the store.
    @Option(help: "Sessions in the store.") var sessions = 1_000_000
    /// Where keys go, one per line.
    @Option(help: "Where keys of sessions go, one per line, drawn at random.") var keys: String

    /// The Unix socket of the Redis door, or `nil` for the HTTP door.
    @Option(help: "Unix socket of the Redis door, instead of the HTTP door.") var redis: String?

    /// Serves.
    func run() throws {
        let command = self
        try MainThread.run { try await command.serve() }
    }

    private func serve() async throws {
        var section =
            "gateway={ store: sessions, allow: { status: [active, revoked] }, http: { listen: \"127.0.0.1:0\","
            + " key: [ { header: X-Device-Session-Id } ], headers: { X-User-Id: user_id } } }"
        if let redis { section = "gateway={ store: sessions, redis: { listen: \"unix:\(redis)\" } }" }
        let filled = try FilledPipeline(sessions: self.sessions, self.file, setting: [section])
        let keys = LookupKeys(sessions: self.sessions, seed: 1).lines(Self.keyCount)
        try Data(keys).write(to: URL(fileURLWithPath: self.keys))
        let (listening, address) = AsyncStream<ListenAddress>.makeStream()
        let server = try self.door(filled) { address.yield($0) }
        try await filled.run {
            filled.source.phase = .resting
            try await withThrowingTaskGroup { group in
                group.addTask { try await server.run() }
                for await address in listening {
                    try ChildOutput.write(ServeFigures(address: "\(address)", sessions: filled.store.count))
                    break
                }
                await ServeChild.endOfInput()
                group.cancelAll()
            }
        }
    }

    private func door(
        _ filled: FilledPipeline, _ onListening: @escaping @Sendable (ListenAddress) -> Void
    ) throws -> any Service {
        let settings = try filled.pipeline.section("gateway", GatewaySettings.type)
        let logger = BenchPipeline.services.logger
        if let http = settings.http,
            let store = InPlaceGatewayStore(settings, door: http, stores: filled.pipeline.stores)
        {
            return GatewayServer(
                http, secrets: try GatewaySecrets(http), store: store, metrics: MetricsRegistry(), logger: logger,
                onListening: onListening)
        }
        guard let redis = settings.redis, let store = InPlaceRedisStore(filled.store) else {
            throw ToolFailure(description: "the door cannot be made")
        }
        let door = RedisDoorServer(
            redis, secrets: try RedisDoorSecrets(redis),
            names: RedisDoorServer.Names(store: settings.store.text, channel: "revocations", version: "bench"),
            store: store, metrics: MetricsRegistry(), logger: logger, onListening: onListening)
        guard filled.store.observe(door.observer) else { throw ToolFailure(description: "the store is not observed") }
        return door
    }
}
