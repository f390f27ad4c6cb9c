/// What has happened to a stream so that entries were, or may have been, lost unread.
public enum GapKind: String, Sendable, CaseIterable {
    /// Entries behind the cursor were trimmed before they were read.
    case trimmed
    /// Entries behind the cursor were deleted one by one before they were read.
    case entriesDeleted = "entries_deleted"
    /// The stream is gone.
    case deleted
    /// It is another stream under the same name.
    case recreated
    /// The stream ends before what was known of it: a failover or a restart has lost writes.
    case wentBack = "went_back"
    /// The consumer group is gone while its stream goes on: what was in the hands of workers that are gone may be lost.
    case groupLost = "group_lost"
    /// The checkpoint cannot be used, so what came since it is not known.
    case checkpoint

    /// Whether ids of before and after can be compared: entries are missing, and the rest is as it was.
    var keepsHistory: Bool { self == .trimmed || self == .entriesDeleted }
}

/// A gap that was found: what is missing can not be read any more.
public struct Gap: Equatable, Sendable {
    /// What has happened.
    public var kind: GapKind
    /// How many entries are known to be lost; nil where that cannot be told.
    public var lost: UInt64?
    /// What was compared, for the log.
    public var detail: String

    init(_ kind: GapKind, lost: UInt64? = nil, _ detail: String) {
        self.kind = kind
        self.lost = lost
        self.detail = detail
    }
}

extension RedisError {
    /// What ends a run whose `on_gap` is halt.
    static func halted(by gap: Gap, in stream: String) -> RedisError {
        RedisError(
            .gap,
            "entries of the stream \(stream) are lost (\(gap.kind.rawValue)): \(gap.detail); on_gap is halt",
            isTransient: false)
    }
}
