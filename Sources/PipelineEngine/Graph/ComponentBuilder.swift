import ComponentKit
import StageKit

/// Passes every call to two handlers, one after the other.
private struct BothHandlers: RevocationHandler {
    let first: any RevocationHandler
    let second: any RevocationHandler

    func revoke(_ event: borrowing Event, key: FieldID) {
        self.first.revoke(event, key: key)
        self.second.revoke(event, key: key)
    }

    func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        self.first.evicted(event, key: key, reason: reason)
        self.second.evicted(event, key: key, reason: reason)
    }

    func reset(_ reset: StoreReset) async throws {
        try await self.first.reset(reset)
        try await self.second.reset(reset)
    }

    func expired(_ snapshots: [ExpiredSnapshot]) async throws {
        try await self.first.expired(snapshots)
        try await self.second.expired(snapshots)
    }

    func endBatch() async throws {
        try await self.first.endBatch()
        try await self.second.endBatch()
    }

    func shutDown() async {
        await self.first.shutDown()
        await self.second.shutDown()
    }
}

/// Creates the source and the stores that a definition names; nothing is opened.
struct ComponentBuilder {
    /// The file's definition.
    let definition: PipelineDefinition
    /// The available types.
    let catalogue: Catalogue
    /// The services for components.
    var services: PipelineServices

    /// Creates the stores by name; a store with an error is added to the issues and omitted.
    func stores(_ issues: inout SettingIssues) -> [String: any SnapshotStore] {
        var made: [String: any SnapshotStore] = [:]
        for (name, component) in self.definition.stores {
            guard let type = self.catalogue.stores.first(where: { $0.name == component.type.text }) else {
                // A missing plugin was already reported.
                if self.catalogue.isIncomplete { continue }
                let hint = Nearest.hint(for: component.type.text, among: self.catalogue.stores.map(\.name))
                issues.add("unknown store type \"\(component.type.text)\"\(hint)", at: component.type.position)
                continue
            }
            let setup = self.setup(name.text, component)
            made[name.text] = type.make(component.settings, setup)
            issues.append(setup.issues.all)
        }
        return made
    }

    /// Creates the source that feeds these stores; returns `nil` and adds the reasons to the issues if it cannot be
    /// created. Possible oversights are added to the warnings.
    func source(
        _ stores: [String: any SnapshotStore], _ checkpoint: (any CheckpointKeeper)?, _ issues: inout SettingIssues,
        warnings: inout [SettingIssue]
    ) -> (any EventSource)? {
        guard let component = self.definition.source else { return nil }
        guard let type = self.catalogue.sources.first(where: { $0.name == component.type.text }) else {
            if self.catalogue.isIncomplete { return nil }
            let hint = Nearest.hint(for: component.type.text, among: self.catalogue.sources.map(\.name))
            issues.add("unknown source type \"\(component.type.text)\"\(hint)", at: component.type.position)
            return nil
        }
        let setup = self.setup(component.type.text, component)
        setup.stores = stores
        setup.checkpoint = checkpoint
        setup.revocationHandler = self.services.revocationHandler
        let source = type.make(component.settings, setup)
        issues.append(setup.issues.all)
        warnings += setup.warnings.all
        if let source { self.checkStreams(of: source, stores, &issues) }
        return source
    }

    /// Adds an error for each store that several streams would feed although it compares all ids: an entry of one stream
    /// would be refused as older than one of another.
    private func checkStreams(
        of source: any EventSource, _ stores: [String: any SnapshotStore], _ issues: inout SettingIssues
    ) {
        guard source.streams.count > 1 else { return }
        for (name, component) in self.definition.stores {
            guard let store = stores[name.text], store.streamFed == nil else { continue }
            issues.add(
                "stores: \(name.text): a store of the type \(component.type.text) cannot be filled from several streams, "
                    + "because it compares their ids: read one stream, or choose another type of store",
                at: component.type.position)
        }
    }

    /// Adds an issue if a component was not created although no error was reported: its type should have given a
    /// reason.
    func tellUnexplained(
        _ stores: [String: any SnapshotStore], _ source: (any EventSource)?, _ issues: inout SettingIssues
    ) {
        guard issues.all.isEmpty else { return }
        var missing = self.definition.stores.filter { stores[$0.name.text] == nil }.map(\.component.type)
        if source == nil, let component = self.definition.source { missing.append(component.type) }
        for type in missing {
            issues.add("\(type.text): cannot be created; the type gives no reason", at: type.position)
        }
    }

    /// Creates the checkpoint of the stores and the source's cursor, or returns `nil` if the file declares none.
    func checkpoint(
        _ stores: [String: any SnapshotStore], definition: String, previous: String, _ issues: inout SettingIssues
    ) -> (any CheckpointKeeper)? {
        let setup = self.setup("checkpoint")
        setup.stores = stores
        setup.definition = definition
        setup.previousDefinition = previous
        let checkpoint = self.catalogue.makeCheckpoint?(setup)
        issues.append(setup.issues.all)
        return checkpoint
    }

    /// Returns the revocation handler: the embedding program's, the file's, both or `nil`.
    func revocationHandler(_ issues: inout SettingIssues) -> (any RevocationHandler)? {
        let setup = self.setup("revocations")
        let made = self.catalogue.makeRevocationHandler?(setup)
        issues.append(setup.issues.all)
        guard let made else { return self.services.revocationHandler }
        guard let given = self.services.revocationHandler else { return made }
        return BothHandlers(first: given, second: made)
    }

    /// Returns the publisher for the messages of stages: the embedding program's, otherwise the file's, otherwise
    /// `nil`.
    func publisher(_ issues: inout SettingIssues) -> (any MessagePublisher)? {
        if let given = self.services.publisher { return given }
        let setup = self.setup("publisher")
        let made = self.catalogue.makePublisher?(setup)
        issues.append(setup.issues.all)
        return made
    }

    /// Returns the reader of Redis hashes: the embedding program's, otherwise the file's, otherwise `nil`.
    func hashReader(_ issues: inout SettingIssues) -> (any HashReader)? {
        if let given = self.services.hashReader { return given }
        let setup = self.setup("hashes")
        let made = self.catalogue.makeHashReader?(setup)
        issues.append(setup.issues.all)
        return made
    }

    /// The setup of a part that has no position of its own in the file.
    private func setup(_ name: String) -> ComponentSetup {
        self.setup(name, at: SettingPosition(line: 1, column: 1))
    }

    private func setup(_ name: String, _ component: PipelineDefinition.Component) -> ComponentSetup {
        self.setup(name, at: component.type.position)
    }

    private func setup(_ name: String, at position: SettingPosition) -> ComponentSetup {
        let setup = ComponentSetup(
            name: name, position: position, logger: self.services.logger, metrics: self.services.metrics,
            sections: self.definition.sections)
        setup.pipeline = self.definition.name
        setup.progress = self.services.progress
        setup.connections = self.services.connections
        setup.clock = self.services.clock
        setup.isRehearsal = self.services.isRehearsal
        return setup
    }
}
