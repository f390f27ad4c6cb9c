/// A batch that has been in flight for longer than `grace`. Its events have no outcome yet, and all later entries wait.
public struct StalledBatch: Sendable, Equatable {
    /// How long a batch may be in flight while the worker still counts as caught up: longer than a healthy batch takes,
    /// and short enough for a probe to notice that the stores may be outdated.
    public static let grace = Duration.seconds(2)

    /// The number of entries that were read and have no outcome.
    public var entries: Int
    /// How long the oldest of them has been in flight.
    public var duration: Duration
    /// The name in the graph of the stage that has not returned, or `nil` if no stage is waiting.
    public var stage: String?
    /// Whether the source was at the end of its stream when it delivered the batch, so that no further entries are
    /// known to be pending.
    public var wasCaughtUp: Bool

    /// Creates a description of a stalled batch.
    public init(entries: Int, duration: Duration, stage: String? = nil, wasCaughtUp: Bool = true) {
        self.entries = entries
        self.duration = duration
        self.stage = stage
        self.wasCaughtUp = wasCaughtUp
    }
}

/// Entries that a source has read but could not deliver yet.
public struct UndeliveredEntries: Sendable, Equatable {
    /// The number of entries.
    public var count: Int
    /// When the first of them was ready to be delivered.
    public var since: ContinuousClock.Instant

    /// Creates a count of undelivered entries.
    public init(count: Int, since: ContinuousClock.Instant) {
        self.count = count
        self.since = since
    }
}

extension SourceStatus {
    /// Returns the status as of `now`, given the batch that is in flight.
    ///
    /// A source cannot update its status while its batch waits, so the status is derived when it is read. From `grace` on the
    /// worker is not caught up, and its lag is at least the number of entries that are known to be pending.
    ///
    /// - Parameters:
    ///   - entries: The number of entries in the batch in flight, 0 if there is none.
    ///   - since: When the batch was taken, or `nil` if there is none.
    ///   - stage: The stage that has not returned.
    ///   - now: The current instant.
    package func during(
        batchOf entries: Int, since: ContinuousClock.Instant?, stage: String?, now: ContinuousClock.Instant
    ) -> SourceStatus {
        let starts = [since, self.undelivered?.since].compactMap(\.self)
        guard let start = starts.min(), now - start > StalledBatch.grace else { return self }
        let pending = max(entries, self.undelivered?.count ?? 0)
        var status = self
        status.stalled = StalledBatch(
            entries: pending, duration: now - start, stage: stage, wasCaughtUp: self.isCaughtUp)
        status.isCaughtUp = false
        status.lagEntries = max(UInt64(pending), self.lagEntries ?? 0)
        return status
    }
}
