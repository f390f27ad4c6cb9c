import StageKit

/// A checked version of a pipeline's file, with the results of reloads so far.
struct PipelineVersion: Sendable {
    /// The whole file, variables and overrides put in.
    var root: SettingNode
    /// The file taken apart.
    var definition: PipelineDefinition
    /// The checked graph in words.
    var graph: GraphDescription
    /// The results of reloads.
    var reloads = PipelineReloads()
}
