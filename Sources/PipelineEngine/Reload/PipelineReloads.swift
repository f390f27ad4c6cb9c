/// The results of a pipeline's reloads so far.
public struct PipelineReloads: Sendable, Equatable {
    /// Which version of the file counts: 1 is the one the pipeline was made of, each applied reload is one more.
    public var generation = 1
    /// Reloads that were taken over.
    public var applied: UInt64 = 0
    /// Reloads of a file that means the same as before: nothing was done.
    public var unchanged: UInt64 = 0
    /// Reloads that were refused: the version before them runs on.
    public var refused: UInt64 = 0
    /// Why the last reload was refused, one line per error, or `nil` if it was not.
    public var lastError: String?

    /// The result of a reload that was not refused.
    public enum Result: Sendable, Equatable {
        /// The new version counts from the next batch on.
        case applied(generation: Int)
        /// The file means the same as before; nothing was done, and stages keep their state.
        case unchanged
    }
}
