import StageKit

/// A checked version of a pipeline's file, with the results of reloads so far.
struct PipelineVersion: Sendable {
    /// The complete file, with variables and overrides inserted.
    var root: SettingNode
    /// The parts of the file.
    var definition: PipelineDefinition
    /// The description of the checked graph.
    var graph: GraphDescription
    /// The results of reloads.
    var reloads = PipelineReloads()
}
