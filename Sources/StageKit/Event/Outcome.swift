/// The single final result of an event.
@frozen
public enum Outcome: UInt8, Sendable, CaseIterable {
    /// The event passed the stages.
    case applied
    /// Nothing had to be done: the event is older than the stored snapshot, repeated or filtered out.
    case skipped
    /// The event failed, and nothing else was done.
    case dropped
    /// A stage failed on the event, and the snapshot that it names was removed from a store.
    case evicted
    /// The event failed and was written to a dead-letter stream.
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

    /// How bad the outcome is, to find the worst of an event's elements: the less remains of the event, the worse.
    public var severity: Int {
        switch self {
        case .applied: 0
        case .skipped: 1
        case .deadLettered: 2
        case .evicted: 3
        case .dropped: 4
        }
    }
}

/// The number of a reason in the graph, such as `malformed_event` or `older_entry`. Resolved once, when the graph is
/// built.
@frozen
public struct ReasonID: Hashable, Sendable {
    /// The index in the graph's list of reasons; 0 is "no reason".
    public let index: UInt16

    @inlinable
    package init(index: UInt16) {
        self.index = index
    }

    /// No reason.
    @inlinable public static var none: ReasonID { ReasonID(index: 0) }
}

/// The number of a branch in the graph. Resolved once, when the graph is built.
@frozen
public struct BranchID: Hashable, Sendable {
    /// The index in the file's list of branches.
    public let index: UInt16

    package init(index: UInt16) {
        self.index = index
    }
}

/// The number of an effect in the graph, such as `upsert`, `evict` or `revoke`. Resolved once, when the graph is built.
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
    /// Passes the event to the next stage.
    case next
    /// Finishes the event with this outcome.
    case finish(Outcome, ReasonID)
    /// Sends the event to the start of a branch, which the stage's declaration must list in its `exits`.
    case branch(BranchID)
    /// Keeps the event until `Stage.complete` has been called. Only for a stage that declares `waits`.
    case wait
}

/// The failure of a stage on one event. The graph's `on_failure` decides how it is handled.
public struct StageFailure: Error, Sendable, Equatable {
    /// The reason that is counted, such as `malformed_event`, or `nil` for the one that the stage type declares.
    public var reason: String?
    /// The message for operators: `decode session event: missing user_id`.
    public var message: String
    /// The name in the graph of the failed stage, set by the engine.
    public var stage: String?
    /// The number of the stage's attempts on the event, including the first one. The engine sets it; a stage that
    /// retries by itself may set a higher number.
    public var attempts = 1

    /// Creates a failure. If `reason` is given, it is counted instead of the stage type's own.
    public init(_ message: String, reason: String? = nil) {
        self.message = message
        self.reason = reason
    }

    /// Creates a failure from an error of something that a stage uses, such as a store.
    ///
    /// - Parameters:
    ///   - error: The error. If it is a failure, its reason is kept.
    ///   - type: The type of the stage, with which the message begins: `upsert`.
    public init(_ error: any Error, in type: String) {
        let failure = error as? StageFailure
        self.init("\(type): \(failure?.message ?? "\(error)")", reason: failure?.reason)
    }
}
