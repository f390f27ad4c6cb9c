public import CoreMetrics
public import Logging
public import StageKit

/// What an embedding program gives a pipeline.
public struct PipelineServices: Sendable {
    /// Where the pipeline logs.
    public var logger: Logger
    /// Where it counts.
    public var metrics: any MetricsFactory
    /// Who is told of revocations, nil for nobody.
    public var revocationHandler: (any RevocationHandler)?
    /// Sends what stages publish, in place of the one that the file's sections make; nil for that one.
    public var publisher: (any MessagePublisher)?
    /// Whether nothing outside of this process is to be touched, so that stages take as sent what they would send.
    public var isRehearsal = false
    /// What stages take for the time of day.
    public var clock: WallClock
    /// Makes one observer for each run, told of every event's outcome; nil for nobody.
    public var makeObserver: (@Sendable () throws -> any OutcomeObserver)?

    /// Makes services; all but the logger may be left out.
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

/// Is told of every event's outcome, in stream order, on the thread that runs the graph.
public protocol OutcomeObserver: AnyObject {
    /// Called once for each event, when its outcome is settled; the event is lent for the call.
    func observe(_ event: borrowing Event, _ record: OutcomeRecord)

    /// Called after each batch, before the cursor moves; what it throws ends the run.
    func endBatch() async throws
}

/// What became of an event.
public struct OutcomeRecord: Sendable, Equatable {
    /// The outcome.
    public var outcome: Outcome
    /// The reason, nil where there is none.
    public var reason: String?
    /// The stage that failed on the event, nil where none did.
    public var stage: String?
    /// What was wrong, nil where nothing was.
    public var error: String?
    /// What was done, in order.
    public var effects: [String]
    /// The column of the field that names what the event is about, nil where the graph has none.
    public var keyField: FieldID?

    package init(
        outcome: Outcome, reason: String?, stage: String?, error: String?, effects: [String], keyField: FieldID?
    ) {
        self.outcome = outcome
        self.reason = reason
        self.stage = stage
        self.error = error
        self.effects = effects
        self.keyField = keyField
    }
}
