/// One step in the graph.
///
/// The contract, which `StageTestKit` checks:
/// - **Making.** `init` is called when a pipeline is checked and again when it is run, so it opens nothing and starts
///   nothing; it resolves names through the setup and reports mistakes to it.
/// - **Calling.** One instance is called from one thread at a time, events in stream order; it may keep plain mutable
///   state. `process` must not wait: it runs on the thread that reads the stream.
/// - **Errors.** A thrown error is this event's failure, never the stage's: the graph's `on_failure` decides what follows
///   and the next event comes as usual. Throw `StageFailure` to choose the words. A failing call changes nothing else.
/// - **Batches.** `endBatch` is called after the last event of each batch, before the cursor moves; it may wait. What it
///   throws ends the run with the cursor before the batch, so that nothing is lost.
/// - **Shutdown.** A batch in hand is finished first, with its `endBatch`; then the instance is let go.
public protocol Stage: AnyObject {
    /// What the YAML under the stage's name is decoded into.
    associatedtype Settings: Sendable

    /// Name, settings and documentation of the stage type: the one declaration all tools read.
    static var declaration: StageDeclaration<Settings> { get }

    /// Makes the stage of its settings; mistakes go to `setup.issues`.
    init(_ settings: Settings, _ setup: StageSetup)

    /// Handles one event and says whether it goes on.
    func process(_ event: inout Event) throws -> Verdict

    /// A hint that the event will be processed soon, such as a chance to fetch memory; it must change nothing.
    ///
    /// Only called where the declaration says `preparesEvents`.
    func prepare(_ event: borrowing Event)

    /// Ends a batch: a place to hand over what was collected.
    func endBatch() async throws
}

extension Stage {
    /// Does nothing.
    public func prepare(_ event: borrowing Event) {}

    /// Does nothing.
    public func endBatch() async throws {}
}

/// What a stage type tells of itself, once, for decoding, lint, documentation and JSON Schema.
public struct StageDeclaration<Settings: Sendable>: Sendable {
    /// The name in the file: a verb in lower_snake_case.
    public let name: String
    /// One sentence for the catalogue.
    public let summary: String
    /// How settings are read.
    public let settings: SettingType<Settings>
    /// A piece of a pipeline file that uses the stage and is valid.
    public let example: String
    /// The reason counted where a failure gives none.
    public let failureReason: String
    /// Whether `process` does nothing but read and set the event's own values and fail.
    ///
    /// Such stages at the head of a graph run a few events ahead of the ones behind them.
    public let isPure: Bool
    /// Whether `prepare` does anything.
    public let preparesEvents: Bool

    /// Makes a declaration.
    public init(
        name: String, summary: String, settings: SettingType<Settings>, example: String,
        failureReason: String, isPure: Bool = false, preparesEvents: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.settings = settings
        self.example = example
        self.failureReason = failureReason
        self.isPure = isPure
        self.preparesEvents = preparesEvents
    }
}
