import Logging
import StageKit
import Synchronization

extension Pipeline {
    /// What came of reloads so far; callable from any thread.
    public var reloads: PipelineReloads { self.version.withLock(\.reloads) }

    /// Takes over another version of the pipeline file while the pipeline runs, callable from any thread.
    ///
    /// The new version is read with the environment and the overrides of the first one and checked whole. Where it is
    /// good, a batch in hand is finished by the old stages, and every batch delivered after this returns goes through the
    /// new ones, so no event is lost, doubled or out of order. Source, cursor and stores stay as they are. Counts of
    /// outcomes go on, and so do those of stages that keep name and type. All stages are made anew: what one has in
    /// memory beside stores and counters (recent keys, tokens of a rate) begins anew.
    ///
    /// Only `stages` and `branches` can change. Where anything else does, or the file is wrong, all that is wrong is
    /// thrown with its place and the old version runs on.
    @discardableResult
    public func reload(text: [UInt8]) throws(ConfigurationError) -> PipelineReloads.Result {
        do throws(ConfigurationError) {
            let tree = try ConfigurationTree(
                text: text, file: self.file, environment: self.environment, overrides: self.overrides)
            return try self.version.withLock { (version) throws(ConfigurationError) in
                try self.take(tree.root, over: &version)
            }
        } catch {
            self.refuseReload(error.description)
            throw error
        }
    }

    /// Notes that a reload came to nothing, for a reason that lies outside of the file's text.
    package func refuseReload(_ reason: String) {
        self.version.withLock { version in
            version.reloads.refused += 1
            version.reloads.lastError = reason
        }
    }

    private func take(
        _ root: SettingNode, over version: inout PipelineVersion
    ) throws(ConfigurationError) -> PipelineReloads.Result {
        var issues = SettingIssues()
        let definition = PipelineDefinition(root, catalogue: self.catalogue, &issues)
        for (name, node) in definition.sections {
            self.catalogue.sections.first { $0.name == name }?.check(node, &issues)
        }
        issues.append(ReloadCheck.issues(from: version.root, to: root))
        let builder = GraphBuilder(
            definition: definition, catalogue: self.catalogue, stores: self.stores, services: self.services)
        let graph = builder.build(&issues)
        issues.append(self.catalogue.checkFile?(FileOutline(definition)).issues.all ?? [])
        guard issues.all.isEmpty else { throw ConfigurationError(file: self.file, issues: issues.all) }
        version.reloads.lastError = nil
        guard !root.hasSameContent(as: version.root) else {
            version.reloads.unchanged += 1
            return .unchanged
        }
        version.root = root
        version.definition = definition
        let stream = self.source.stream
        version.graph =
            GraphDescriber(definition: definition, graph: graph, stores: self.stores, stream: stream).describe()
        version.reloads.applied += 1
        version.reloads.generation += 1
        let generation = version.reloads.generation
        self.generation.store(generation, ordering: .releasing)
        // The stores go on, so a checkpoint of them is one of this version: a restart with its file takes it up.
        self.checkpoint?.adopt(definition: DefinitionDigest.ofStores(root, types: self.catalogue.stores))
        self.services.logger.notice(
            "reloaded: the new stages work from the next batch on",
            metadata: [
                "generation": "\(generation)", "stages": "\(graph.nodes.map(\.name).joined(separator: " "))",
            ])
        return .applied(generation: generation)
    }
}
