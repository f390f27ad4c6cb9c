/// The events that wait at a stage for its `complete`, in stream order.
///
/// Each goes on to the next stage when `complete` returns, unless it was failed or finished; of two words on one event the
/// last counts. Positions run from 0 to `count - 1`. It belongs to the thread that runs the graph and is empty outside of
/// `complete`, so a stage must not keep it.
///
/// Each event that the stage touches or decides is a step of the run (`ProgressReporter`): a stage that awaits one event
/// after another is alive as long as each takes less than the watchdog's time. If it sends all of them at once, it reports
/// each answer itself.
public final class WaitingEvents {
    /// What becomes of an event.
    package enum Decision: Sendable {
        /// It goes on to the next stage.
        case next
        /// The stage failed on it.
        case fail(StageFailure)
        /// Its way ends here.
        case finish(Outcome, ReasonID)
    }

    private var batch: EventBatch?
    private var waiting: [(index: Int, decision: Decision)] = []
    private var isLending = false
    private let progress: ProgressReporter

    /// Holds no event.
    package init(progress: ProgressReporter = ProgressReporter()) {
        self.progress = progress
    }

    /// How many wait.
    public var count: Int { self.waiting.count }

    /// Calls `body` with the event at a position, which cannot outlive the call; one event is lent at a time, as what one is
    /// given may move the values of all.
    public func withEvent<R, E: Error>(at position: Int, _ body: (inout Event) throws(E) -> R) throws(E) -> R {
        guard let batch = self.batch else { preconditionFailure("no event waits") }
        precondition(!self.isLending, "one event is lent at a time")
        self.progress.pulse()
        self.isLending = true
        defer { self.isLending = false }
        return try batch.withEvent(at: self.waiting[position].index, body)
    }

    /// Fails the event at a position: the graph's `on_failure` decides what follows, as where `process` throws.
    public func fail(at position: Int, _ failure: StageFailure) {
        self.progress.pulse()
        self.waiting[position].decision = .fail(failure)
    }

    /// Ends the way of the event at a position with an outcome, as where `process` says `.finish`.
    public func finish(at position: Int, _ outcome: Outcome, _ reason: ReasonID) {
        self.progress.pulse()
        self.waiting[position].decision = .finish(outcome, reason)
    }

    // MARK: For the engine

    /// Adds the event at an index of a batch, behind those before it in the stream.
    package func add(_ index: Int, of batch: EventBatch) {
        self.batch = batch
        self.waiting.append((index, .next))
    }

    /// The index in its batch of the event at a position.
    package func index(at position: Int) -> Int { self.waiting[position].index }

    /// What was said of the event at a position.
    package func decision(at position: Int) -> Decision { self.waiting[position].decision }

    /// Lets all go but those at some positions, in rising order, which wait again.
    package func keep(_ positions: [Int]) {
        self.waiting = positions.map { (self.waiting[$0].index, .next) }
        if self.waiting.isEmpty { self.batch = nil }
    }

    /// Lets all go and keeps the memory.
    package func removeAll() {
        self.batch = nil
        self.waiting.removeAll(keepingCapacity: true)
    }
}
