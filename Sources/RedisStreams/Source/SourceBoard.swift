import StageKit

/// What a running source shows to other threads.
struct SourceBoard: Sendable {
    /// How it is doing.
    var status = SourceStatus()
    /// What is remembered of the stream, for a checkpoint; nil while there can be none.
    var mark: StreamMark?
    /// The epoch of the mark.
    var epoch = 0
}
