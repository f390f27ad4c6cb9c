/// What came of the reloads of a pipeline so far.
public struct PipelineReloads: Sendable, Equatable {
    /// Which version of the file counts: 1 is the one the pipeline was made of, each applied reload is one more.
    public var generation = 1
    /// Reloads that were taken over.
    public var applied: UInt64 = 0
    /// Reloads of a file that says what it said before: nothing was done.
    public var unchanged: UInt64 = 0
    /// Reloads that were refused: the version before them runs on.
    public var refused: UInt64 = 0
    /// Why the last reload was refused, one line for each mistake; nil where it was not.
    public var lastError: String?

    /// What came of one reload that was not refused.
    public enum Result: Sendable, Equatable {
        /// The new version counts from the next batch on.
        case applied(generation: Int)
        /// The file says what it said before; nothing was done, and stages keep their state.
        case unchanged
    }
}
