import ComponentKit
import Logging
import RedisClient

/// The ways in which entries of a stream were, or may have been, lost unread.
public enum GapKind: String, Sendable, CaseIterable {
    /// Entries after the cursor were trimmed before they were read.
    case trimmed
    /// Entries after the cursor were deleted individually before they were read.
    case entriesDeleted = "entries_deleted"
    /// The stream no longer exists.
    case deleted
    /// It is another stream with the same name.
    case recreated
    /// The stream ends before its last known id: a failover or a restart has lost writes.
    case wentBack = "went_back"
    /// The consumer group no longer exists although its stream does: entries that were pending for workers that are
    /// gone may be lost.
    case groupLost = "group_lost"
    /// The checkpoint cannot be used, so later changes are unknown.
    case checkpoint

    /// Whether ids from before and after the gap can be compared: entries are missing, but the others are unchanged.
    var keepsHistory: Bool { self == .trimmed || self == .entriesDeleted }
}

/// A gap that was found; the missing entries can no longer be read.
public struct Gap: Equatable, Sendable {
    /// The kind of gap.
    public var kind: GapKind
    /// The number of entries that are known to be lost, or `nil` if unknown.
    public var lost: UInt64?
    /// The values that were compared, for the log.
    public var detail: String

    init(_ kind: GapKind, lost: UInt64? = nil, _ detail: String) {
        self.kind = kind
        self.lost = lost
        self.detail = detail
    }
}

extension RedisError {
    /// Returns the error that ends a run if `on_gap` is `halt`.
    static func halted(by gap: Gap, in stream: String) -> RedisError {
        RedisError(
            .gap,
            "entries of the stream \(stream) are lost (\(gap.kind.rawValue)): \(gap.detail); on_gap is halt",
            isTransient: false)
    }
}

extension SourceBoard {
    /// Counts a gap and shows it as the last error.
    mutating func lost(_ gap: Gap) {
        self.status.gaps[gap.kind.rawValue, default: 0] += 1
        self.status.lastError = "gap in the stream (\(gap.kind.rawValue)): \(gap.detail)"
    }
}

extension Logger {
    /// Logs a gap, with additional metadata of the reader.
    func logGap(_ gap: Gap, in stream: String, _ policy: GapPolicy, _ more: Metadata = [:]) {
        let metadata: Metadata = [
            "stream": "\(stream)", "kind": "\(gap.kind.rawValue)", "detail": "\(gap.detail)",
            "lost": "\(gap.lost?.description ?? "not known")", "on_gap": "\(policy.rawValue)",
        ]
        self.error("entries of the stream are lost", metadata: metadata.merging(more) { $1 })
    }
}
