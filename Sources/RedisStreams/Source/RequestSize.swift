import Logging
import RedisClient

/// The fraction of the maximum number of entries or keys to request at a time: halved after each failure that a smaller
/// reply may avoid, and increased again after successful replies.
///
/// A reply that exceeds a limit of either side, or whose connection is cut before it is complete, would fail again if
/// the same number were requested. Pure.
struct RequestSize: Sendable, Equatable {
    /// Successful replies in a row before a larger request is tried again; doubled each time that it fails, up to
    /// `repliesLimit`.
    private static let repliesBeforeMore = 4
    private static let repliesLimit = 256
    /// Maximum number of halvings; enough to reduce the largest count that can be configured to one.
    private static let limit = 17

    /// Fewer halvings do not indicate that replies are too large: every lost connection causes one.
    private static let halvingsBeforeHint = 3

    /// The number of halvings in effect.
    private(set) var halvings = 0
    private var replies = 0
    private var repliesNeeded = repliesBeforeMore

    /// Creates a size that requests the maximum.
    init() {}

    /// Whether less than the maximum is requested.
    var isReduced: Bool { self.halvings > 0 }

    /// Returns the number to request, out of the maximum; at least one.
    func count(_ allowed: Int) -> Int { max(1, allowed >> self.halvings) }

    /// Records a reply that did not arrive; half as many are requested from now on.
    mutating func failed() {
        if self.isReduced { self.repliesNeeded = min(2 * self.repliesNeeded, Self.repliesLimit) }
        self.halvings = min(self.halvings + 1, Self.limit)
        self.replies = 0
    }

    /// Records a complete reply; returns whether more is requested from now on.
    mutating func succeeded() -> Bool {
        guard self.isReduced else { return false }
        self.replies += 1
        guard self.replies >= self.repliesNeeded else { return false }
        self.halvings -= 1
        self.replies = 0
        if !self.isReduced { self.repliesNeeded = Self.repliesBeforeMore }
        return true
    }

    /// Records that nothing is left to read; the maximum is requested from now on.
    mutating func reachedEnd() { self = RequestSize() }

    /// Adds the requested number to the log line of a failure, and a hint after several failures.
    func note(in metadata: inout Logger.Metadata, _ count: Int) {
        guard self.isReduced else { return }
        metadata["count"] = "\(count)"
        guard self.halvings >= Self.halvingsBeforeHint else { return }
        metadata["hint"] = """
            replies may exceed the server's client-output-buffer-limit or the limit of a proxy: \
            lower read_count and catch_up_count
            """
    }
}

/// Whether the next request is smaller than the failed one.
enum RequestReduction: Sendable, Equatable {
    /// It is not: the size is not the cause, or cannot be reduced further.
    case none
    /// It is, because the size may have been the cause.
    case possible
    /// It is, because the size certainly was the cause, so that no delay is needed.
    case certain
    /// It is not: the size certainly was the cause and cannot be reduced further, so retrying cannot help.
    case exhausted
}

extension RedisError {
    /// Whether a smaller request may succeed after this failure: the reply exceeded a limit of this side, or the
    /// connection ended or fell silent before the reply was complete. A server closes connections whose replies exceed
    /// its own limit (client-output-buffer-limit), often before it has sent a byte.
    var mayBeTooMuch: Bool {
        switch self.code {
        case .replyTooLarge: !self.isTransient
        case .timedOut, .closed: true
        default: false
        }
    }
}
