public import ComponentKit
import RedisClient
import StageKit

extension RedisStreamSource {
    /// The source type for the catalogue: `source: { redis_stream: { stream: ... } }`, with the section `redis`.
    public static let sourceType = SourceType(
        name: "redis_stream", summary: "Reads the entries of a Redis stream.", settings: RedisStreamSettings.type,
        keys: { $0.serverKeys }
    ) { streamSettings, setup in
        if streamSettings.start == .resume, setup.checkpoint == nil {
            setup.issues.add(
                "redis_stream: start is resume, but there is no section checkpoint to resume from", at: setup.position)
        }
        streamSettings.checkGroup(setup)
        let lasts = setup.stores.contains { $0.value.retention == .own }
        if lasts, streamSettings.group == nil, streamSettings.start == .tail, streamSettings.bootstrap == .none {
            setup.warnings.add(
                "redis_stream: start is tail, and a store outlives the worker: entries added while no worker runs "
                    + "never reach it; set start to resume with a checkpoint, or bootstrap to stream",
                at: setup.position)
        }
        streamSettings.checkStaleness(setup)
        let redis = setup.redisSettings()
        if case .keys = streamSettings.bootstrap, redis?.cluster != nil {
            setup.issues.add(
                "redis_stream: bootstrap: keys reads one server: in a cluster, choose none or stream",
                at: setup.position)
        }
        return redis.map {
            RedisStreamSource(
                $0, streamSettings, stores: setup.stores.sorted { $0.key < $1.key }.map(\.value),
                checkpoint: setup.checkpoint, handler: setup.revocationHandler, connections: setup.connections,
                logger: setup.logger)
        }
    }
}

extension RedisStreamSettings {
    /// Warns about stores that answer lookups indefinitely.
    fileprivate func checkStaleness(_ setup: ComponentSetup) {
        guard self.group == nil, self.stalenessLimit == .off else { return }
        for name in setup.stores.keys.sorted() {
            setup.warnings.add(
                "stores: \"\(name)\" never refuses lookups because of max_staleness: off: if the stream's server is "
                    + "lost, keys revoked later are still returned", at: setup.position)
        }
    }

    /// Reports other parts of the file that are incompatible with a group, or whose effect may surprise.
    fileprivate func checkGroup(_ setup: ComponentSetup) {
        guard let group = self.group else { return }
        if setup.checkpoint != nil {
            setup.issues.add(
                "redis_stream: group and the section checkpoint cannot be combined: the server keeps the group's "
                    + "position, and a worker's stores hold part of the stream", at: setup.position)
        }
        for (name, store) in setup.stores.sorted(by: { $0.key < $1.key }) where !store.isShared {
            setup.warnings.add(
                "stores: \"\(name)\" is local to this process: each worker of the group \(group.name) holds only "
                    + "the entries delivered to it, and lookups do not find the rest", at: setup.position)
        }
    }
}
