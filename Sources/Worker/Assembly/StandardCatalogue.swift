import Admin
import AggregateStage
import Checkpoints
import ComponentKit
import DeadLetterStage
import DecodeStage
import DedupeStage
import EvictStage
import ExplodeStage
import FileSource
import FilterStage
import Gateway
import LogStage
import LookupStage
import MetricsStage
import Operations
import PipelineChecks
public import PipelineEngine
import PluginLoading
import PublishStage
import RedisClient
import RedisStreams
import RemoveStage
import RenameStage
import RevokeStage
import RouteStage
import SQLiteStore
import SampleStage
import SetStage
import SnapshotStores
import StageKit
import ThrottleStage
import UpsertStage
import ValidateStage
import WebhookStage
import WriteStage

extension Catalogue {
    /// Everything that ships with Sluice; programs add their own stage types to it.
    public static var standard: Catalogue {
        var catalogue = Catalogue()
        catalogue.add(DecodeStage.self)
        catalogue.add(ValidateStage.self)
        catalogue.add(RouteStage.self)
        catalogue.add(FilterStage.self)
        catalogue.add(DedupeStage.self)
        catalogue.add(ThrottleStage.self)
        catalogue.add(SampleStage.self)
        catalogue.add(AggregateStage.self)
        catalogue.add(SetStage.self)
        catalogue.add(RenameStage.self)
        catalogue.add(RemoveStage.self)
        catalogue.add(ExplodeStage.self)
        catalogue.add(LookupStage.self)
        catalogue.add(UpsertStage.self)
        catalogue.add(RevokeStage.self)
        catalogue.add(MetricsStage.self)
        catalogue.add(LogStage.self)
        catalogue.add(EvictStage.self)
        catalogue.add(PublishStage.self)
        catalogue.add(WebhookStage.self)
        catalogue.add(WriteStage.self)
        catalogue.add(DeadLetterStage.self)
        catalogue.add(RedisStreamSource.sourceType)
        catalogue.add(FileSource.sourceType)
        // The Redis door sends invalidations to clients.
        catalogue.add(
            MemoryStore.makeType { setup in
                guard setup.hasSection("gateway"), let gateway = setup.section("gateway", GatewaySettings.type) else {
                    return false
                }
                return gateway.redis != nil && gateway.store.text == setup.name
            })
        catalogue.add(RedisStore.type)
        catalogue.add(SQLiteStore.type)
        catalogue.add(RedisSettings.section)
        catalogue.add(RevocationSettings.section)
        catalogue.add(AdminSettings.section)
        catalogue.add(TelemetrySettings.section)
        catalogue.add(GatewaySettings.section)
        let loader = PluginLoader()
        catalogue.loadPlugin = { (path) throws(SettingRefusal) in try loader.load(path) }
        catalogue.add(CheckpointSettings.section)
        catalogue.makeCheckpoint = { setup in
            guard setup.hasSection("checkpoint"), let settings = setup.section("checkpoint", CheckpointSettings.type)
            else { return nil }
            return FileCheckpoint(
                settings, stores: self.checkpointed(setup), definition: setup.definition,
                previousDefinition: setup.previousDefinition, logger: setup.logger, metrics: setup.metrics,
                leavesNotice: setup.stores.values.contains { $0.retention == .own })
        }
        catalogue.makeRevocationHandler = { setup in
            guard setup.hasSection("revocations"), let settings = setup.redisSettings(),
                let revocations = setup.section("revocations", RevocationSettings.type)
            else { return nil }
            return RevocationPublisher(
                settings, revocations, progress: setup.progress, connections: setup.connections, logger: setup.logger)
        }
        catalogue.makePublisher = { setup in
            guard let settings = self.clientSettings(setup) else { return nil }
            return RedisMessagePublisher(
                settings, progress: setup.progress, connections: setup.connections, logger: setup.logger)
        }
        catalogue.makeHashReader = { setup in
            guard let settings = self.clientSettings(setup) else { return nil }
            return RedisHashReader(
                settings, progress: setup.progress, connections: setup.connections, logger: setup.logger)
        }
        catalogue.checkFile = { FileChecks.findings($0, stores: $1) }
        return catalogue
    }

    /// Returns the server for the commands of stages, or `nil` if the file names none.
    private static func clientSettings(_ setup: ComponentSetup) -> RedisSettings? {
        guard setup.hasSection("redis") else { return nil }
        // An invalid section is reported at its position, and the pipeline does not run.
        return setup.redisSettings() ?? RedisSettings(address: .tcp(host: "localhost", port: 6379))
    }

    /// Returns the stores that a checkpoint saves, in the order of their names. Adds an error for a store that would be
    /// empty after a restart although the source resumes behind the entries that it held.
    private static func checkpointed(_ setup: ComponentSetup) -> [any CheckpointedStore] {
        setup.stores.sorted { $0.key < $1.key }.compactMap { name, store in
            if store.retention == .own { return nil }
            if store.retention == .checkpoint, let store = store.checkpointed { return store }
            setup.issues.add(
                "checkpoint: it cannot save the store \"\(name)\", which would be empty after a restart: remove the "
                    + "section, or choose another type of store", at: setup.position(ofSection: "checkpoint"))
            return nil
        }
    }
}
