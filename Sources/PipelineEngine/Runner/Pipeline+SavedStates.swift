package import ComponentKit
import StageKit

extension Pipeline {
    /// The parts of a saved checkpoint that a run of the pipeline would not use.
    package struct CheckpointLoss: Sendable {
        /// Whether the contents of the stores are discarded, because the stores or the stages that lead to them differ.
        package var ofStores: Bool
        /// The discarded states of stages, with the reasons.
        package var ofStages: [(stage: String, reason: String)]
    }

    /// Compares a saved checkpoint with the file; changes nothing in the pipeline.
    ///
    /// - Parameters:
    ///   - definition: The digest in the checkpoint.
    ///   - stages: The states of stages in the checkpoint.
    /// - Throws: The errors of stages that could be created before but cannot be created now.
    package func loss(
        ofCheckpoint definition: String, _ stages: [SavedStage]
    ) throws(ConfigurationError) -> CheckpointLoss {
        let (root, parts) = self.version.withLock { ($0.root, $0.definition) }
        var issues = SettingIssues()
        let builder = GraphBuilder(
            definition: parts, catalogue: self.catalogue, stores: self.stores, services: self.services)
        let graph = builder.build(&issues)
        guard issues.all.isEmpty else { throw ConfigurationError(file: self.file, issues: issues.all) }
        let types = self.catalogue.stores
        let known = [
            DefinitionDigest.ofStores(root, graph, types: types), DefinitionDigest.previous(root, types: types),
        ]
        return CheckpointLoss(
            ofStores: !known.contains(definition),
            ofStages: StageStates.unusable(stages, in: graph))
    }
}
