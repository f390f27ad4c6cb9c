import Logging

/// What part of the allowed number of entries or keys is asked for at once: half after each failure that a smaller reply may
/// avoid, and more again after replies that came.
///
/// A reply that is too large for a limit of either side, or for a connection that is cut before it is complete, would fail
/// again if it were asked for again. Pure.
struct RequestSize: Sendable, Equatable {
    /// Replies in a row before a larger one is tried again; doubled each time that one fails, up to the limit.
    private static let repliesBeforeMore = 4
    private static let repliesLimit = 256
    /// The most halvings: beyond the largest count that can be set there is nothing to halve.
    private static let limit = 17

    /// Fewer halvings are no sign of replies that are too large: any connection that is lost brings one.
    private static let halvingsBeforeHint = 3

    /// How often the size is halved.
    private(set) var halvings = 0
    private var replies = 0
    private var repliesNeeded = repliesBeforeMore

    /// Everything that is allowed.
    init() {}

    /// Whether less than what is allowed is asked for.
    var isReduced: Bool { self.halvings > 0 }

    /// How many to ask for, of those that are allowed; at least one.
    func count(_ allowed: Int) -> Int { max(1, allowed >> self.halvings) }

    /// A reply did not arrive: half as many from now on.
    mutating func failed() {
        if self.isReduced { self.repliesNeeded = min(2 * self.repliesNeeded, Self.repliesLimit) }
        self.halvings = min(self.halvings + 1, Self.limit)
        self.replies = 0
    }

    /// A reply arrived whole; returns whether more is asked for from now on.
    mutating func succeeded() -> Bool {
        guard self.isReduced else { return false }
        self.replies += 1
        guard self.replies >= self.repliesNeeded else { return false }
        self.halvings -= 1
        self.replies = 0
        if !self.isReduced { self.repliesNeeded = Self.repliesBeforeMore }
        return true
    }

    /// Nothing is left to be read: what comes is asked for in full.
    mutating func reachedEnd() { self = RequestSize() }

    /// Adds to a log line about a failure how many are asked for now, and after several failures what may help.
    func note(in metadata: inout Logger.Metadata, _ count: Int) {
        guard self.isReduced else { return }
        metadata["count"] = "\(count)"
        guard self.halvings >= Self.halvingsBeforeHint else { return }
        metadata["hint"] = """
            replies may be larger than the server sends (client-output-buffer-limit) or a proxy lets through: \
            lower read_count and catch_up_count
            """
    }
}

extension RedisError {
    /// Whether a smaller request may succeed where one has failed like this: a reply that breaks a limit of this side, or a
    /// connection that ended, or fell silent, before the reply was complete. A server closes connections whose replies
    /// exceed its own limit (client-output-buffer-limit), often before it has sent a byte.
    var mayBeTooMuch: Bool {
        switch self.code {
        case .replyTooLarge: !self.isTransient
        case .timedOut, .closed: true
        default: false
        }
    }
}
