package import ComponentKit
import DeadLetterStage
package import PipelineEngine
import PublishStage
import RedisClient
import RedisStreams
import SnapshotStores
import StageKit

/// Checks that compare several parts of a pipeline file.
package enum FileChecks {
    /// Returns all errors, and warnings about likely oversights.
    package static func findings(
        _ file: FileOutline, stores: [String: any SnapshotStore]
    ) -> FileOutline.Findings {
        var findings = FileOutline.Findings()
        SnapshotNames(stores: stores).check(file, &findings.issues)
        self.checkSharedFiles(file, &findings.issues)
        Keyspace(self.keys(file)).check(&findings.issues, warnings: &findings.warnings)
        for (context, node) in self.servers(file) {
            guard let settings = FileOutline.decode(node, RedisSettings.type) else { continue }
            findings.warnings.within(context) { settings.warn(node, &$0) }
        }
        if let source = file.source, source.type == RedisStreamSource.sourceType.name,
            let settings = FileOutline.decode(source.settings, RedisStreamSettings.type)
        {
            findings.warnings.within("source: redis_stream") { settings.warnGroup(source.settings, &$0) }
        }
        return findings
    }

    /// Adds an error for each store that is shared in the file of another one.
    private static func checkSharedFiles(_ file: FileOutline, _ issues: inout SettingIssues) {
        var users: [String: String] = [:]
        for store in file.stores where store.type == MemoryStore.type.name {
            guard let node = store.settings["share"]?["path"],
                let path = FileOutline.decode(node, SettingType<String>.nonBlankText)
            else { continue }
            if let user = users[path] {
                issues.add(
                    "stores: \(store.name): share: path: the store \(user) is shared there; each store needs a file of "
                        + "its own", at: node.position)
            }
            users[path] = store.name
        }
    }

    /// The settings of every Redis server that the file names, with a description of their position.
    private static func servers(_ file: FileOutline) -> [(context: String, node: SettingNode)] {
        let section = file.sections["redis"].map { [("redis", $0)] } ?? []
        return section
            + file.stores.filter { $0.type == RedisStore.type.name }.compactMap { store in
                store.settings["server"].map { ("stores: \(store.name): server", $0) }
            }
    }

    /// The keys and channels that the file uses; invalid settings are skipped.
    private static func keys(_ file: FileOutline) -> [Keyspace.Part] {
        let server = file.section("redis", RedisSettings.type)
        var parts: [Keyspace.Part] = []
        var streams: [String] = []
        if let server, let source = file.source, source.type == RedisStreamSource.sourceType.name,
            let settings = FileOutline.decode(source.settings, RedisStreamSettings.type)
        {
            parts += Keyspace.parts(ofSource: settings, source.settings, on: server, at: source.position)
            streams = settings.keys
        }
        for store in file.stores where store.type == RedisStore.type.name {
            parts += Keyspace.parts(ofStore: store.name, store.settings, section: server, at: store.position)
        }
        guard let server else { return parts }
        if let node = file.sections["revocations"],
            let revocations = FileOutline.decode(node, RevocationSettings.type)
        {
            parts.append(Keyspace.part(of: revocations, node, on: server))
        }
        return parts + file.stages.flatMap { self.keys($0, on: server, streams) }
    }

    /// The streams and channels that a stage sends to.
    private static func keys(
        _ stage: FileOutline.Part, on server: RedisSettings, _ streams: [String]
    ) -> [Keyspace.Part] {
        func part(_ use: Keyspace.Use, _ name: String) -> Keyspace.Part {
            Keyspace.Part(use, on: server, at: stage.settings[name]?.position ?? stage.position, context: stage.type)
        }
        switch stage.type {
        case PublishStage.declaration.name:
            switch FileOutline.decode(stage.settings, PublishStage.declaration.settings)?.target {
            case .stream(let name, _)?:
                let use = name.literal.map { Keyspace.Use.messages(stream: $0) }
                return [part(use ?? .messageStreams(pattern: name.pattern), "stream")]
            case .channel(let name)?:
                let use = name.literal.map { Keyspace.Use.messageChannel($0) }
                return [part(use ?? .messageChannels(pattern: name.pattern), "channel")]
            case nil: return []
            }
        case DeadLetterStage.declaration.name:
            guard let settings = FileOutline.decode(stage.settings, DeadLetterStage.declaration.settings) else {
                return []
            }
            let targets = settings.stream.map { [$0] } ?? streams.map { DeadLetter.defaultStream(of: $0) }
            return targets.map { part(.deadLetters(stream: $0), "stream") }
        default: return []
        }
    }
}
