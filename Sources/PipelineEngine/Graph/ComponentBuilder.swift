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

    func endBatch() async throws {
        try await self.first.endBatch()
        try await self.second.endBatch()
    }

    func shutDown() async {
        await self.first.shutDown()
        await self.second.shutDown()
    }
}

/// Makes the source and the stores that a definition names; nothing is opened.
struct ComponentBuilder {
    /// What the file says.
    let definition: PipelineDefinition
    /// The types it may name.
    let catalogue: Catalogue
    /// What components are made with.
    var services: PipelineServices

    /// The stores by name; what is wrong with one is an issue, and it is left out.
    func stores(_ issues: inout SettingIssues) -> [String: any SnapshotStore] {
        var made: [String: any SnapshotStore] = [:]
        for (name, component) in self.definition.stores {
            guard let type = self.catalogue.stores.first(where: { $0.name == component.type.text }) else {
                let hint = Nearest.hint(for: component.type.text, among: self.catalogue.stores.map(\.name))
                issues.add("unknown store type \"\(component.type.text)\"\(hint)", at: component.type.mark)
                continue
            }
            let setup = self.setup(name.text, component)
            made[name.text] = type.make(component.settings, setup)
            issues.append(setup.issues.all)
        }
        return made
    }

    /// The source that feeds these stores; nil where it cannot be made, the reasons among the issues. What a person may
    /// have overlooked goes to the warnings.
    func source(
        _ stores: [String: any SnapshotStore], _ checkpoint: (any CheckpointKeeper)?, _ issues: inout SettingIssues,
        warnings: inout [SettingIssue]
    ) -> (any EventSource)? {
        guard let component = self.definition.source else { return nil }
        guard let type = self.catalogue.sources.first(where: { $0.name == component.type.text }) else {
            let hint = Nearest.hint(for: component.type.text, among: self.catalogue.sources.map(\.name))
            issues.add("unknown source type \"\(component.type.text)\"\(hint)", at: component.type.mark)
            return nil
        }
        let setup = self.setup(component.type.text, component)
        setup.stores = stores
        setup.checkpoint = checkpoint
        setup.revocationHandler = self.services.revocationHandler
        setup.failureMark = self.definition.sourceFailureMark
        let source = type.make(component.settings, setup)
        issues.append(setup.issues.all)
        warnings += setup.warnings.all
        return source
    }

    /// Tells what was not made although nothing is wrong with the file: its type owes a reason.
    func tellUnexplained(
        _ stores: [String: any SnapshotStore], _ source: (any EventSource)?, _ issues: inout SettingIssues
    ) {
        guard issues.all.isEmpty else { return }
        var missing = self.definition.stores.filter { stores[$0.name.text] == nil }.map(\.component.type)
        if source == nil, let component = self.definition.source { missing.append(component.type) }
        for type in missing {
            issues.add("\(type.text): it could not be made, and the type does not say why", at: type.mark)
        }
    }

    /// Where the stores and the source's position are kept; nil for nowhere.
    func checkpoint(
        _ stores: [String: any SnapshotStore], definition: String, _ issues: inout SettingIssues
    ) -> (any CheckpointKeeper)? {
        let setup = self.setup("checkpoint")
        setup.stores = stores
        setup.definition = definition
        let checkpoint = self.catalogue.makeCheckpoint?(setup)
        issues.append(setup.issues.all)
        return checkpoint
    }

    /// Who is told of revocations: the embedding program's handler, the file's, both or nobody.
    func revocationHandler(_ issues: inout SettingIssues) -> (any RevocationHandler)? {
        let setup = self.setup("revocations")
        let made = self.catalogue.makeRevocationHandler?(setup)
        issues.append(setup.issues.all)
        guard let made else { return self.services.revocationHandler }
        guard let given = self.services.revocationHandler else { return made }
        return BothHandlers(first: given, second: made)
    }

    /// What sends the messages of stages: the embedding program's own, else the file's, else nothing.
    func publisher(_ issues: inout SettingIssues) -> (any MessagePublisher)? {
        if let given = self.services.publisher { return given }
        let setup = self.setup("publisher")
        let made = self.catalogue.makePublisher?(setup)
        issues.append(setup.issues.all)
        return made
    }

    /// The setup of a part that has no place of its own in the file.
    private func setup(_ name: String) -> ComponentSetup {
        self.setup(name, at: SourceMark(line: 1, column: 1))
    }

    private func setup(_ name: String, _ component: PipelineDefinition.Component) -> ComponentSetup {
        self.setup(name, at: component.type.mark)
    }

    private func setup(_ name: String, at mark: SourceMark) -> ComponentSetup {
        let setup = ComponentSetup(
            name: name, mark: mark, logger: self.services.logger, metrics: self.services.metrics,
            sections: self.definition.sections)
        setup.progress = self.services.progress
        return setup
    }
}
