package import ComponentKit
package import PipelineEngine
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
        AddressCheck.check(file, &findings.issues)
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
            + file.stores.filter { $0.keys != nil }.compactMap { store in
                store.settings["server"].map { ("stores: \(store.name): server", $0) }
            }
    }

    /// The keys and channels that the parts of the file declare; those of invalid settings are missing.
    private static func keys(_ file: FileOutline) -> [Keyspace.Part] {
        let section = file.section("redis", RedisSettings.type)
        func parts(_ part: FileOutline.Part, _ context: String, on server: RedisSettings?) -> [Keyspace.Part] {
            guard let server, let keys = part.keys else { return [] }
            return Keyspace.parts(keys, of: context, part.settings, on: server, at: part.position)
        }
        var found = file.source.map { parts($0, "source", on: section) } ?? []
        for store in file.stores {
            let server = store.settings["server"].flatMap { FileOutline.decode($0, RedisSettings.type) }
            found += parts(store, "stores: \(store.name)", on: server ?? section)
        }
        if let section, let node = file.sections["revocations"],
            let revocations = FileOutline.decode(node, RevocationSettings.type)
        {
            found.append(Keyspace.part(of: revocations, node, on: section))
        }
        return found + file.stages.flatMap { parts($0, $0.type, on: section) }
    }
}
