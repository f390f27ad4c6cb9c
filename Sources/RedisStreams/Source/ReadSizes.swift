import RedisClient

/// Decides how much to request with each read, and handles replies that are too large. Pure.
struct ReadSizes: Sendable, Equatable {
    /// The content that a connection requests.
    enum Activity: Sendable, Equatable {
        /// Facts only, for example while the connection is being prepared: their size cannot be chosen.
        case facts
        /// Entries of the stream.
        case entries
        /// Keys that stores are filled from.
        case keys
    }

    /// Maximum number of entries in one read.
    let maximum: Int
    /// The content that the current connection requests.
    var activity = Activity.facts
    /// The fraction of the maximum number of entries to request; reduced after replies that did not arrive.
    private(set) var entries = RequestSize()
    /// The same for keys.
    private(set) var keys = RequestSize()
    /// Whether values that do not fit into a reply are left out; set when a single entry is too large.
    private var fitsReplies = false

    /// Creates sizes that request the maximum.
    init(maximum: Int) {
        self.maximum = maximum
    }

    /// The number of entries to request.
    var count: Int { self.entries.count(self.maximum) }

    /// Whether reads of entries differ from those of a reader without failures.
    var isReduced: Bool { self.entries.isReduced || self.fitsReplies }

    /// Returns whether values that do not fit are left out of the reply to a read of up to `count` entries.
    func leavesOutToFit(_ count: Int) -> Bool { self.fitsReplies && count == 1 }

    /// Records a complete reply with entries; returns whether more is requested because enough replies arrived.
    ///
    /// - Parameter isAtEnd: Whether nothing is left to read, so that the maximum is requested from now on.
    mutating func succeeded(isAtEnd: Bool) -> Bool {
        guard isAtEnd else { return self.entries.succeeded() }
        if self.isReduced { (self.entries, self.fitsReplies) = (RequestSize(), false) }
        return false
    }

    /// Records that all keys were read.
    mutating func readAllKeys() { self.keys.reachedEnd() }

    /// Records the failure of a connection; requests less from now on if the size of a reply may have caused it.
    mutating func failed(_ error: RedisError) -> RequestReduction {
        guard error.mayBeTooMuch else { return .none }
        let isCertain = error.code == .replyTooLarge
        switch self.activity {
        case .facts: return .none
        case .keys:
            guard self.keys.count(KeyReader.chunk) > 1 else { return isCertain ? .exhausted : .none }
            self.keys.failed()
            return isCertain ? .certain : .possible
        case .entries where self.count > 1:
            self.entries.failed()
            return isCertain ? .certain : .possible
        case .entries:
            guard isCertain else { return .none }
            guard !self.fitsReplies else { return .exhausted }
            self.fitsReplies = true
            return .certain
        }
    }
}
