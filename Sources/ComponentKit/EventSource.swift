public import StageKit

/// A source of events.
///
/// The engine calls `run` once. The source calls `deliver` with one batch after another, in stream order, and advances
/// its cursor only after `deliver` has returned. An error thrown by `deliver` ends the run.
public protocol EventSource: Sendable {
    /// The stream's name, for logs and journals. If there are several streams, the name of the first.
    var stream: String { get }

    /// The names of all streams that the source reads.
    var streams: [String] { get }

    /// The reason why stages with a saved state (`StatefulStage`) cannot be used with this source, as the end of a
    /// sentence (`in a group: ...`), or `nil` if they can.
    ///
    /// They can if the source delivers every entry of one stream, in the order of the ids, and nothing else.
    var stateObstacle: String? { get }

    /// The name of the group whose workers share the stream's entries, or `nil` if this worker gets all of them.
    var groupName: String? { get }

    /// Whether the source begins at the position in the checkpoint, so that the stores are filled from there.
    var startsAtCheckpoint: Bool { get }

    /// What the source uses on the server of the section `redis`, for `sluice check`, or `nil` if it uses no such
    /// server.
    var serverUse: ServerUse? { get }

    /// The kind of system that the stream is on, in the words of OpenTelemetry's conventions for messaging, such as
    /// `redis`; an attribute of spans.
    var system: String { get }

    /// Delivers batches until the source ends, `stop` is called or an error makes it impossible to continue.
    ///
    /// The source handles transient errors itself. `deliver` runs on the thread that calls it. A package without the
    /// upcoming feature `NonisolatedNonsendingByDefault` has to write `nonisolated(nonsending)` in its own declaration
    /// of this function, as below.
    ///
    /// - Parameter deliver: Processes one batch; returns when every event of the batch has its outcome.
    /// - Throws: An error if the source cannot continue.
    func run(_ deliver: nonisolated(nonsending) (EventBatch) async throws -> Void) async throws

    /// Makes `run` return soon, even from a blocked read; a batch that is being delivered is finished first. Can be
    /// called from any thread, before, during and after `run`, and more than once.
    func stop()

    /// The status of the source. Can be read from any thread.
    var status: SourceStatus { get }

    /// Asks for batches without entries, with `EventBatch.deliveredUpTo`, at intervals while the stream is silent. Can be
    /// called from any thread, before and during `run`.
    func deliverTimes()

    /// The source's bookmark, for a checkpoint of the stores, or `nil` if no checkpoint is possible now. Can be read
    /// from any thread: stores that are copied after reading it contain at least every entry up to that bookmark.
    var bookmark: SourceBookmark? { get }

    /// Checks what the source needs outside of this process, for `sluice check`; changes nothing there. Called for a
    /// source that does not run.
    func check() async -> [CheckStep]
}

extension EventSource {
    /// The one stream.
    public var streams: [String] { [self.stream] }

    /// `nil`, unless there are several streams or a group.
    public var stateObstacle: String? {
        if self.streams.count > 1 { return "with several streams: the order of their entries is not known" }
        if self.groupName != nil { return "in a group: each worker receives only a part of the entries" }
        return nil
    }

    /// `nil`: the worker gets all entries.
    public var groupName: String? { nil }

    /// `false`: most sources cannot continue from a saved bookmark.
    public var startsAtCheckpoint: Bool { false }

    /// `nil`: no server.
    public var serverUse: ServerUse? { nil }

    /// `memory`: the entries come from this process.
    public var system: String { "memory" }

    /// Does nothing: most sources do not know the time of their stream.
    public func deliverTimes() {}

    /// `nil`: most sources cannot continue from a saved bookmark.
    public var bookmark: SourceBookmark? { nil }

    /// An empty list: nothing can be checked.
    public func check() async -> [CheckStep] { [] }
}

/// The status of a source.
public struct SourceStatus: Sendable, Equatable {
    /// The activity of a source.
    public enum State: String, Sendable {
        /// Not started.
        case idle
        /// Connecting to the server, for the first time or again.
        case connecting
        /// Reading entries.
        case reading
        /// Ended.
        case stopped
    }

    /// The current activity.
    public var state: State
    /// The id up to which every event has its outcome, or `nil` if it is not known yet.
    public var cursor: EntryID?
    /// The number of reconnects after a lost connection.
    public var reconnects: Int
    /// The most recent error, or `nil` if there was none.
    public var lastError: String?
    /// Whether every entry that the last check found in the stream has its outcome.
    ///
    /// A check is a read that was sent after the last batch had its outcomes if that batch took longer than
    /// `StalledBatch.grace`: an older reply does not cover the entries that were added in the meantime.
    public var isCaughtUp: Bool
    /// Whether the stores are being filled and may therefore be older than the stream.
    public var isFilling = false
    /// The number of entries behind the cursor at the last check, or `nil` if it is not known. While a batch is
    /// stalled, at least the number of entries that are known to be pending.
    public var lagEntries: UInt64?
    /// The server's clock minus this machine's, in seconds, or `nil` if the server does not report its time.
    public var clockOffset: Double?
    /// The entries that the source has read but cannot deliver because another batch is in flight, or `nil` if there
    /// are none.
    public var undelivered: UndeliveredEntries?
    /// The batch in flight if it is stalled. Set by `Pipeline.status`; a source leaves it `nil`.
    public var stalled: StalledBatch?
    /// The number of gaps, certain or possible, by kind.
    public var gaps: [String: Int] = [:]
    /// Whether the source can detect gaps. `false` if the server refuses the queries that this needs, and the settings
    /// allow reading without them.
    public var detectsGaps = true
    /// The number of steps of the source: replies, delivered batches, started attempts.
    public var pulses: UInt64 = 0
    /// The longest time between two steps if nothing hangs, according to the source's settings: a blocked read, or the
    /// delay before the next attempt. Not applied while a batch is in flight.
    public var patience: Duration = .zero
    /// The kernel's id of the thread that delivers batches, or `nil` if the thread varies. The worker checks whether
    /// this thread gets CPU time while the source lags.
    public var thread: Int32?
    /// The status of the consumer group that the source reads in, or `nil` if it reads the stream alone.
    public var group: GroupStatus?

    /// Creates a status.
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

/// The status of a consumer group, as seen by one of its workers.
public struct GroupStatus: Sendable, Equatable {
    /// The group's name.
    public var name: String
    /// This worker's consumer name.
    public var consumer: String
    /// The number of entries that were delivered to any worker of the group and have no outcome yet, at the last check.
    public var pending = 0
    /// The number of entries that this worker has claimed from others.
    public var claimed = 0
    /// The number of entries delivered to this worker that had been delivered before, including claimed ones.
    public var redelivered = 0
    /// The number of entries that were deleted from the stream before they had an outcome.
    public var deleted = 0
    /// The number of entries that were refused because they had been delivered too often.
    public var refused = 0
    /// The number of idle consumers that this worker has removed from the group.
    public var consumersRemoved = 0

    /// Creates a status with all counts at 0.
    public init(name: String, consumer: String) {
        self.name = name
        self.consumer = consumer
    }
}
