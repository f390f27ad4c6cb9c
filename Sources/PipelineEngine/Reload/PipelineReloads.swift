/// The results of a pipeline's reloads so far.
public struct PipelineReloads: Sendable, Equatable {
    /// The version of the file in use: 1 is the one the pipeline was created from, each applied reload adds one.
    public var generation = 1
    /// The number of reloads that were applied.
    public var applied: UInt64 = 0
    /// The number of reloads of an equivalent file: nothing was changed.
    public var unchanged: UInt64 = 0
    /// The number of reloads that were refused; the previous version kept running.
    public var refused: UInt64 = 0
    /// Why the last reload was refused, one line per error, or `nil` if it was not.
    public var lastError: String?

    /// The result of a reload that was not refused.
    public enum Result: Sendable, Equatable {
        /// The new version is used from the next batch on.
        case applied(generation: Int)
        /// The file is equivalent to the previous one; nothing was changed, and stages keep their state.
        case unchanged
    }
}
