public import CoreMetrics
public import Logging
public import StageKit

/// What an embedding program gives a pipeline.
public struct PipelineServices: Sendable {
    /// Where the pipeline logs.
    public var logger: Logger
    /// Where it counts.
    public var metrics: any MetricsFactory
    /// The handler that is notified of revocations, evictions and resets, or `nil` if there is none.
    public var revocationHandler: (any RevocationHandler)?
    /// Sends what stages publish, in place of the one that the file's sections make; nil for that one.
    public var publisher: (any MessagePublisher)?
    /// Whether nothing outside of this process is to be touched, so that stages take as sent what they would send.
    public var isRehearsal = false
    /// What stages take for the time of day.
    public var clock: WallClock
    /// Where the pipeline's parts report their steps; each pipeline has one of its own.
    package var progress = ProgressReporter()
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
    /// Called before each batch of so many events: which of them are to be told. The more, the dearer: see
    /// `OutcomeInterest`.
    func beginBatch(of count: Int) -> OutcomeInterest

    /// Whether this event is to be told, asked of each that `beginBatch` has asked for, before its record is made.
    ///
    /// - Parameters:
    ///   - outcome: What has become of it.
    ///   - stage: The stage that failed on it or ended its way, nil where none did.
    ///   - key: The field that names what it is about.
    func wants(_ event: borrowing Event, _ outcome: Outcome, stage: String?, key: FieldID?) -> Bool

    /// Called once for each event asked for, when its outcome is settled; the event is lent for the call.
    func observe(_ event: borrowing Event, _ record: OutcomeRecord)

    /// Called after each batch, before the cursor moves; what it throws ends the run.
    func endBatch() async throws
}

extension OutcomeObserver {
    /// All of them.
    public func beginBatch(of count: Int) -> OutcomeInterest { .all }

    /// Every one.
    public func wants(_ event: borrowing Event, _ outcome: Outcome, stage: String?, key: FieldID?) -> Bool { true }
}

/// Which events of a batch an observer is told of.
public enum OutcomeInterest: UInt8, Sendable, Comparable {
    /// None: costs nothing.
    case none
    /// All but those that went through the stages without anything to tell: costs nothing for these.
    case unusual
    /// All: some hundred nanoseconds each.
    case all

    /// Orders by how many they are.
    public static func < (left: OutcomeInterest, right: OutcomeInterest) -> Bool { left.rawValue < right.rawValue }
}

/// What became of an event.
public struct OutcomeRecord: Sendable, Equatable {
    /// The outcome.
    public var outcome: Outcome
    /// The reason, nil where there is none.
    public var reason: String?
    /// The stage that failed on the event, nil where none did.
    public var stage: String?
    /// The stage that ended the event's way without failing, nil where none did.
    public var endedBy: String?
    /// What was wrong, nil where nothing was.
    public var error: String?
    /// What was done, in order.
    public var effects: [String]
    /// The column of the field that names what the event is about, nil where the graph has none.
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
