/// Where events come from.
///
/// The engine calls `run` once; the source calls `deliver` with one batch after another, in stream order, and moves its
/// cursor only when `deliver` has returned. What `deliver` throws ends the run.
public protocol EventSource: Sendable {
    /// The stream's name, for logs and journals.
    var stream: String { get }

    /// Delivers batches until the source ends, `stop` is called or nothing more can be done.
    ///
    /// Returns when told to stop or at the end of a finite source; throws where the source cannot go on. Transient errors
    /// are the source's own affair. `deliver` runs where it is called, on whatever thread that is: a package of yours without
    /// the feature `NonisolatedNonsendingByDefault` spells that out as it stands here.
    func run(_ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void) async throws

    /// Makes `run` return soon, also out of a waiting read; a batch being delivered is finished. Callable from any thread,
    /// before, during and after `run`, and more than once.
    func stop()

    /// How the source is doing, readable from any thread.
    var status: SourceStatus { get }

    /// Where the source is, for a checkpoint of the stores; nil while there can be none. Readable from any thread: whoever
    /// copies the stores after reading it has at least everything up to there.
    var position: SourcePosition? { get }
}

extension EventSource {
    /// Nothing: most sources cannot go on where they were.
    public var position: SourcePosition? { nil }
}

/// How a source is doing.
public struct SourceStatus: Sendable, Equatable {
    /// What it is doing.
    public enum State: String, Sendable {
        /// Not run yet.
        case idle
        /// On its way to the server, for the first time or again.
        case connecting
        /// Reading.
        case reading
        /// Ended.
        case stopped
    }

    /// What it is doing.
    public var state: State
    /// The id up to which every event has its outcome; nil before it is known.
    public var cursor: EntryID?
    /// How often a lost connection was taken up again.
    public var reconnects: Int
    /// What went wrong last, nil where nothing has.
    public var lastError: String?
    /// Whether the events of everything that was in the stream when last looked at have their outcomes.
    ///
    /// A look is a read that was sent after the last batch had its outcomes if that batch took longer than
    /// `StalledBatch.grace`: an older reply says nothing about the entries that were added meanwhile.
    public var isCaughtUp: Bool
    /// Whether the stores are being filled, so that what they hold may be older than what the stream says.
    public var isFilling = false
    /// How many entries were waiting behind the cursor when last looked at, or `nil` if that is not known; while a batch is
    /// stalled, at least the entries that are known to be pending.
    public var lagEntries: UInt64?
    /// The entries that the source has read and cannot deliver because another batch is in flight, or `nil` if there are none.
    public var undelivered: UndeliveredEntries?
    /// The batch in flight if it is stalled. Set by `Pipeline.status`; a source leaves it `nil`.
    public var stalled: StalledBatch?
    /// How often entries were lost, or may have been, by the kind of the gap.
    public var gaps: [String: Int] = [:]
    /// The steps of the source: answers, delivered batches, begun attempts.
    public var pulses: UInt64 = 0
    /// The longest time between two of these if nothing hangs, by the source's settings: a blocked read, the delay before the
    /// next attempt. Not counted while a batch is in flight.
    public var patience: Duration = .zero
    /// The kernel's number of the thread that batches are delivered on, or `nil` if that is not always the same: the worker
    /// looks whether the thread gets its processor while the source is behind.
    public var thread: Int32?
    /// How the group is doing that the source shares its entries with; nil where it shares them with nobody.
    public var group: GroupStatus?

    /// Makes a status.
    public init(
        state: State = .idle, cursor: EntryID? = nil, reconnects: Int = 0, lastError: String? = nil,
        isCaughtUp: Bool = false
    ) {
        self.state = state
        self.cursor = cursor
        self.reconnects = reconnects
        self.lastError = lastError
        self.isCaughtUp = isCaughtUp
    }
}

/// How a group of workers that share the entries of a stream is doing, as one of them sees it.
public struct GroupStatus: Sendable, Equatable {
    /// The group's name.
    public var name: String
    /// What this worker is called in it.
    public var consumer: String
    /// Entries that were delivered to any worker of the group and have no outcome yet, when last looked at.
    public var pending = 0
    /// Entries that this worker has taken over from others.
    public var claimed = 0
    /// Entries that this worker got after they had been delivered before, those taken over included.
    public var redelivered = 0
    /// Entries that were taken out of the stream before they had an outcome.
    public var deleted = 0
    /// Entries that had been delivered too often and were refused.
    public var refused = 0

    /// Nothing has happened yet.
    public init(name: String, consumer: String) {
        self.name = name
        self.consumer = consumer
    }
}
