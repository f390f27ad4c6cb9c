import StageKit

/// One version of a pipeline's file, checked, and what came of reloads so far.
struct PipelineVersion: Sendable {
    /// The whole file, variables and overrides put in.
    var root: SettingNode
    /// The file taken apart.
    var definition: PipelineDefinition
    /// The checked graph in words.
    var graph: GraphDescription
    /// What came of reloads.
    var reloads = PipelineReloads()
}
