/// The one end each event has.
@frozen
public enum Outcome: UInt8, Sendable, CaseIterable {
    /// Went through the stages.
    case applied
    /// Nothing had to be done: older than the held snapshot, repeated, or filtered out.
    case skipped
    /// Failed, and nothing else was done.
    case dropped
    /// A stage failed on the event, and the snapshot that it names was removed from a store.
    case evicted
    /// Failed, and was put aside for a person.
    case deadLettered

    /// The name in journals and metrics.
    public var name: String {
        switch self {
        case .applied: "applied"
        case .skipped: "skipped"
        case .dropped: "dropped"
        case .evicted: "evicted"
        case .deadLettered: "dead_lettered"
        }
    }
}

/// A reason's number in the graph: `malformed_event`, `older_entry` and so on, resolved once when the graph is built.
@frozen
public struct ReasonID: Hashable, Sendable {
    /// The index in the graph's list of reasons; 0 is "no reason".
    public let index: UInt16

    @inlinable
    package init(index: UInt16) {
        self.index = index
    }

    /// No reason given.
    @inlinable public static var none: ReasonID { ReasonID(index: 0) }
}

/// A branch's number in the graph, resolved once when the graph is built.
@frozen
public struct BranchID: Hashable, Sendable {
    /// The index in the file's list of branches.
    public let index: UInt16

    package init(index: UInt16) {
        self.index = index
    }
}

/// An effect's number in the graph: `upsert`, `evict`, `revoke` and so on, resolved once when the graph is built.
@frozen
public struct EffectID: Hashable, Sendable {
    /// The index in the graph's list of effects.
    public let index: UInt8

    @inlinable
    package init(index: UInt8) {
        self.index = index
    }
}

/// A stage's decision about an event.
@frozen
public enum Verdict: Sendable, Equatable {
    /// Let the event go on to the next stage.
    case next
    /// End the event's way here with this outcome.
    case finish(Outcome, ReasonID)
    /// Send the event to the start of a branch, which the stage's declaration must name among its `exits`.
    case branch(BranchID)
    /// Keep the event until `Stage.complete` has been called; only for a stage that declares `waits`.
    case wait
}

/// Why a stage could not process one event; the graph's `on_failure` decides what follows.
public struct StageFailure: Error, Sendable, Equatable {
    /// The reason as counted, such as `malformed_event`; nil for the one that the stage type declares.
    public var reason: String?
    /// The problem, for a person: `decode session event: missing user_id`.
    public var message: String
    /// The stage that failed, by its name in the graph; the engine fills it in.
    public var stage: String?
    /// Attempts of the stage on the event, including the first one; the engine sets it, and a stage that retries by
    /// itself may set a higher number.
    public var attempts = 1

    /// Creates a failure; a reason given here is counted instead of the stage type's own.
    public init(_ message: String, reason: String? = nil) {
        self.message = message
        self.reason = reason
    }
}
