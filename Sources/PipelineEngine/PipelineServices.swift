package import ComponentKit
public import CoreMetrics
public import Logging
public import StageKit

/// The services that an embedding program passes to a pipeline.
public struct PipelineServices: Sendable {
    /// The logger of the pipeline.
    public var logger: Logger
    /// The metrics factory of the pipeline.
    public var metrics: any MetricsFactory
    /// The handler that is notified of revocations, evictions and resets, or `nil` if there is none.
    public var revocationHandler: (any RevocationHandler)?
    /// Sends the messages of stages instead of the publisher that the file declares; `nil` to use the file's.
    public var publisher: (any MessagePublisher)?
    /// Reads Redis hashes for stages instead of the reader that the file declares; `nil` to use the file's.
    public var hashReader: (any HashReader)?
    /// Whether nothing outside of this process may be touched; stages then treat messages as sent without sending them.
    public var isRehearsal = false
    /// The clock from which stages and stores read the time of day.
    public var clock: WallClock
    /// Receives the progress of the pipeline's parts; each pipeline has a reporter of its own.
    package var progress = ProgressReporter()
    /// The connections of the pipeline's parts; each pipeline has a history of its own.
    package var connections = ConnectionHistory()
    /// Creates one observer for each run, which receives the outcomes of events; `nil` for no observer.
    public var makeObserver: (@Sendable () throws -> any OutcomeObserver)?

    /// Creates services; all but the logger may be omitted.
    public init(
        logger: Logger, metrics: any MetricsFactory = NOOPMetricsHandler.instance,
        revocationHandler: (any RevocationHandler)? = nil, publisher: (any MessagePublisher)? = nil,
        clock: WallClock = .system,
        makeObserver: (@Sendable () throws -> any OutcomeObserver)? = nil
    ) {
        self.logger = logger
        self.metrics = metrics
        self.revocationHandler = revocationHandler
        self.publisher = publisher
        self.clock = clock
        self.makeObserver = makeObserver
    }
}

/// Receives the outcome of every event, in stream order, on the thread that runs the graph. The events of an entry's
/// elements (`Event.element`) come before the event of the entry, which has the worst of their outcomes.
public protocol OutcomeObserver: AnyObject {
    /// Called before each batch with its number of events; returns which of them to report. Reporting more events costs
    /// more: see `OutcomeInterest`.
    func beginBatch(of count: Int) -> OutcomeInterest

    /// Whether to report this event. Called for each event that `beginBatch` has asked for, before its record is
    /// created.
    ///
    /// - Parameters:
    ///   - outcome: The outcome of the event.
    ///   - stage: The stage that failed on the event or finished it, or `nil` if none did.
    ///   - key: The field that identifies the subject of the event.
    func wants(_ event: borrowing Event, _ outcome: Outcome, stage: String?, key: FieldID?) -> Bool

    /// Called once for each event to report, when its outcome is settled; the event must not be used after the call.
    func observe(_ event: borrowing Event, _ result: EventResult)

    /// Called after each batch, before the cursor moves; an error ends the run.
    func endBatch() async throws
}

extension OutcomeObserver {
    /// Reports every event.
    public func beginBatch(of count: Int) -> OutcomeInterest { .all }

    /// Reports every event.
    public func wants(_ event: borrowing Event, _ outcome: Outcome, stage: String?, key: FieldID?) -> Bool { true }
}

/// The events of a batch that are reported to an observer.
public enum OutcomeInterest: UInt8, Sendable, Comparable {
    /// None: costs nothing.
    case none
    /// All except those that went through the stages uneventfully, which cost nothing.
    case unusual
    /// All: a few hundred nanoseconds each.
    case all

    /// Orders by the number of events.
    public static func < (left: OutcomeInterest, right: OutcomeInterest) -> Bool { left.rawValue < right.rawValue }
}

/// The result of an event.
public struct EventResult: Sendable, Equatable {
    /// The outcome.
    public var outcome: Outcome
    /// The reason, or `nil` if there is none.
    public var reason: String?
    /// The stage that failed on the event, or `nil` if none did.
    public var stage: String?
    /// The stage that finished the event without failing, or `nil` if none did.
    public var endedBy: String?
    /// The error message, or `nil` if there was no error.
    public var error: String?
    /// The effects, in order.
    public var effects: [String]
    /// The column of the field that identifies the subject of the event, or `nil` if the graph has none.
    public var keyField: FieldID?
    /// The fields that the event may have.
    public var fields: FieldTable

    package init(
        outcome: Outcome, reason: String?, stage: String?, endedBy: String? = nil, error: String?, effects: [String],
        keyField: FieldID?, fields: FieldTable = FieldTable(GraphNames())
    ) {
        self.outcome = outcome
        self.reason = reason
        self.stage = stage
        self.endedBy = endedBy
        self.error = error
        self.effects = effects
        self.keyField = keyField
        self.fields = fields
    }
}
