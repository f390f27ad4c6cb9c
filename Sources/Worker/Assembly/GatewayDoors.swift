import Admin
import ArgumentParser
import ComponentKit
import Gateway
import Logging
import PipelineEngine
import RedisStreams
import ServiceLifecycle
import StageKit

/// The doors that a pipeline file declares in its section `gateway`.
struct GatewayDoors: Sendable {
    private let http: GatewayServer?
    private let grpc: GatewayServer?
    private let redis: RedisDoorServer?

    /// Creates the doors; opens nothing.
    ///
    /// - Throws: `ConfigurationError` if the section does not fit the pipeline, or if one of its files cannot be used.
    init(
        _ pipeline: Pipeline, _ registry: MetricsRegistry, file: String, logger: Logger
    ) throws(ConfigurationError) {
        guard pipeline.hasSection("gateway") else {
            self.http = nil
            self.grpc = nil
            self.redis = nil
            return
        }
        let settings = try pipeline.section("gateway", GatewaySettings.type)
        let revocations =
            pipeline.hasSection("revocations") ? try pipeline.section("revocations", RevocationSettings.type) : nil
        Self.describe(registry)
        do throws(SettingIssue) {
            self.http = try Self.server(settings.http, .http, settings, pipeline, registry, logger)
            self.grpc = try Self.server(settings.grpc, .grpc, settings, pipeline, registry, logger)
            self.redis = try Self.redis(settings, revocations, pipeline, registry, logger)
        } catch {
            throw ConfigurationError(file: file, issues: [error])
        }
    }

    private static func describe(_ registry: MetricsRegistry) {
        registry.describe("sluice_gateway_decisions_total", help: "Decisions about sessions, per door.")
        registry.describe(
            "sluice_gateway_refusals_total", help: "Requests and connections that got no decision, by reason.")
        registry.describe("sluice_gateway_seconds", help: "Time from a request's head to its response.")
        registry.describe("sluice_gateway_commands_total", help: "Commands at the Redis door.")
        registry.describe("sluice_gateway_connections", help: "Open connections of the Redis door.")
    }

    private static func server(
        _ door: HTTPDoorSettings?, _ form: DoorForm, _ settings: GatewaySettings, _ pipeline: Pipeline,
        _ registry: MetricsRegistry, _ logger: Logger
    ) throws(SettingIssue) -> GatewayServer? {
        guard let door else { return nil }
        guard let store = InPlaceGatewayStore(settings, door: door, stores: pipeline.stores) else {
            throw Self.unfit(settings)
        }
        return GatewayServer(
            door, form, secrets: try GatewaySecrets(door, form), store: store, metrics: registry, logger: logger)
    }

    private static func redis(
        _ settings: GatewaySettings, _ revocations: RevocationSettings?, _ pipeline: Pipeline,
        _ registry: MetricsRegistry, _ logger: Logger
    ) throws(SettingIssue) -> RedisDoorServer? {
        guard let redis = settings.redis else { return nil }
        guard let snapshots = pipeline.stores[settings.store.text]?.inPlace,
            let store = InPlaceRedisStore(snapshots)
        else { throw Self.unfit(settings) }
        var channel = "\(redis.prefix(ofStore: settings.store.text))revocations"
        if case .channel(let name) = revocations?.target { channel = name }
        let door = RedisDoorServer(
            redis, secrets: try RedisDoorSecrets(redis),
            names: RedisDoorServer.Names(
                store: settings.store.text, channel: redis.channel ?? channel,
                version: SluiceCommand.configuration.version),
            store: store, metrics: registry, logger: logger)
        guard snapshots.observe(door.observer) else {
            throw SettingIssue(
                "gateway: store: \(settings.store.text) does not report changes, so clients of the Redis door could not "
                    + "keep copies: remove redis from gateway, or choose another store", at: settings.store.position)
        }
        return door
    }

    private static func unfit(_ settings: GatewaySettings) -> SettingIssue {
        SettingIssue(
            "gateway: store: \(settings.store.text) does not have the condition, or does not track its freshness: choose "
                + "another store", at: settings.store.position)
    }

    /// The doors, to be run.
    var services: [any Service] { [self.http as (any Service)?, self.grpc, self.redis].compactMap(\.self) }

    /// Passes the entries of a log of revocations on to the subscribers of the Redis door.
    func follow(_ log: RevocationLog) {
        guard let redis else { return }
        let observer = redis.observer
        log.setListener { batch in
            // Entries of the stream were lost before they were read: nothing that a client has read is certain.
            guard let batch else { return observer.snapshotsReset() }
            redis.publish(
                batch.entries.indices.map { index in
                    let (key, entry) = (batch.key(at: index), batch.entries[index])
                    return switch batch.kind(at: index) {
                    case .revocation: RevocationMessage.json(key: key, entry: entry, others: [])
                    case .eviction(let reason):
                        RevocationMessage.json(
                            key: key, entry: entry, others: RevocationMessage.eviction(reason: reason))
                    case .reset(let store, let reason):
                        RevocationMessage.json(
                            key: key, entry: entry, others: RevocationMessage.reset(store: store, reason: reason))
                    }
                })
        }
    }

    /// Reads the password of the Redis door again.
    func reload() {
        self.redis?.reload()
    }
}
