import ComponentKit
import Logging
import StageKit
import Synchronization

extension Pipeline {
    /// The results of reloads so far; callable from any thread.
    public var reloads: PipelineReloads { self.version.withLock(\.reloads) }

    /// Applies another version of the pipeline file while the pipeline runs; callable from any thread.
    ///
    /// The new version is read with the environment and the overrides of the first one and checked completely. If it is
    /// valid, the old stages finish the batch in flight, and every batch delivered after this method returns goes
    /// through the new ones, so no event is lost, duplicated or reordered. Source, cursor and stores do not change.
    /// Counts of outcomes continue, and so do those of stages that keep name and type. All stages are created again:
    /// state that a stage keeps outside of stores and counters (recent keys, tokens of a rate limit) is reset, except
    /// that of a `StatefulStage`, if a stage of that name can continue with it.
    ///
    /// Only `stages` and `branches` can change.
    ///
    /// - Throws: All errors with their positions if the file is invalid or anything else has changed; the old version
    ///   keeps running.
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

    /// Records that a reload failed for a reason outside of the file's text.
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
        var warnings: [SettingIssue] = []
        if issues.all.isEmpty {
            StateChecks(graph: graph, source: self.source, hasCheckpoint: self.checkpoint != nil).check(
                &issues, warnings: &warnings)
        }
        let stores = issues.all.isEmpty ? self.stores : [:]
        let outline = FileOutline(
            definition, catalogue: self.catalogue, source: self.source, fieldTypes: graph.fieldTypes)
        issues.append(self.catalogue.checkFile?(outline, stores).issues.all ?? [])
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
        if graph.followsTime { self.source.deliverTimes() }
        version.reloads.applied += 1
        version.reloads.generation += 1
        let generation = version.reloads.generation
        self.generation.store(generation, ordering: .releasing)
        // The stores keep their content, so their checkpoint belongs to this version: a restart with its file loads it.
        self.checkpoint?.adopt(definition: DefinitionDigest.ofStores(root, graph, types: self.catalogue.stores))
        self.services.logger.notice(
            "reloaded: the new stages apply from the next batch on",
            metadata: [
                "generation": "\(generation)", "stages": "\(graph.nodes.map(\.name).joined(separator: " "))",
            ])
        return .applied(generation: generation)
    }
}
