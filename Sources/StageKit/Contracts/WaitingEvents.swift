/// The events that wait at a stage for its `complete`, in stream order.
///
/// When `complete` returns, each event continues to the next stage unless it was failed, finished or expanded; the last
/// decision on an event counts. Positions run from 0 to `count - 1`. The object belongs to the thread that runs the
/// graph and is empty outside of `complete`; a stage must not keep it.
///
/// Each access to an event and each decision counts as a step of the run (`ProgressReporter`). A stage that awaits one
/// event after another is therefore never considered hung as long as each takes less than the watchdog's timeout. A
/// stage that sends all of them concurrently reports each reply itself.
public final class WaitingEvents {
    /// The decision on an event.
    package enum Decision: Sendable {
        /// The event continues to the next stage.
        case next
        /// The event failed at the stage.
        case fail(StageFailure)
        /// The event is finished.
        case finish(Outcome, ReasonID)
        /// The events at these indices continue instead of the event, except those that failed, by their number.
        case expand(Range<Int>, [Int: StageFailure])
    }

    /// The maximum number of elements of one event. Each is an event in memory until the batch is finished: a few
    /// hundred bytes, besides those that it shares with the entry.
    public static let elementLimit = 10_000

    private var batch: EventBatch?
    private var waiting: [(index: Int, decision: Decision)] = []
    private var isLending = false
    private let progress: ProgressReporter

    /// Creates an empty list.
    package init(progress: ProgressReporter = ProgressReporter()) {
        self.progress = progress
    }

    /// The number of waiting events.
    public var count: Int { self.waiting.count }

    /// Calls `body` with the event at a position. The event cannot outlive the call. Only one event can be accessed at
    /// a time, because setting a value may move the values of all events.
    ///
    /// - Parameters:
    ///   - position: The position, from 0 to `count - 1`.
    ///   - body: Reads or modifies the event.
    /// - Returns: The result of `body`.
    /// - Throws: The error that `body` throws.
    public func withEvent<R, E: Error>(at position: Int, _ body: (inout Event) throws(E) -> R) throws(E) -> R {
        guard let batch = self.batch else { preconditionFailure("no event waits") }
        precondition(!self.isLending, "one event is borrowed at a time")
        self.progress.pulse()
        self.isLending = true
        defer { self.isLending = false }
        return try batch.withEvent(at: self.waiting[position].index, body)
    }

    /// Fails the event at a position. The graph's `on_failure` decides what happens next, as when `process` throws.
    public func fail(at position: Int, _ failure: StageFailure) {
        self.progress.pulse()
        self.waiting[position].decision = .fail(failure)
    }

    /// Finishes the event at a position with an outcome, as when `process` returns `.finish`.
    public func finish(at position: Int, _ outcome: Outcome, _ reason: ReasonID) {
        self.progress.pulse()
        self.waiting[position].decision = .finish(outcome, reason)
    }

    /// Replaces the event at a position by events for its elements, which continue to the next stage in its place, in
    /// order. Only for a stage whose declaration sets `expands`.
    ///
    /// Each new event has the values, the failure, the entry's id and the original fields of the replaced event; its
    /// `eventID` ends with the number of the element. The replaced event gets the worst of their outcomes when all of
    /// them have one. An event without elements must be finished instead.
    ///
    /// - Parameters:
    ///   - position: The position, from 0 to `count - 1`.
    ///   - elements: The number of elements, from 1 to `elementLimit`; with any other number, the event fails.
    ///   - body: Sets the values of the new event with a number, counted from 0. If it throws, this event fails at the
    ///     stage and takes the path of the stage's `on_failure`; it is not retried.
    public func expand(
        at position: Int, into elements: Int, _ body: (Int, inout Event) throws(StageFailure) -> Void
    ) {
        guard let batch = self.batch else { preconditionFailure("no event waits") }
        precondition(!self.isLending, "one event is borrowed at a time")
        guard (1...Self.elementLimit).contains(elements) else {
            let limits = "a stage can make 1 to \(Self.elementLimit) events of one event"
            return self.fail(at: position, StageFailure("\(limits), not \(elements)"))
        }
        self.progress.pulse()
        let indices = batch.appendElements(of: self.waiting[position].index, count: elements)
        self.isLending = true
        defer { self.isLending = false }
        var failures: [Int: StageFailure] = [:]
        for number in 0..<elements {
            do throws(StageFailure) {
                try batch.withEvent(at: indices.lowerBound + number) { (event) throws(StageFailure) in
                    try body(number, &event)
                }
            } catch {
                failures[number] = error
            }
        }
        self.waiting[position].decision = .expand(indices, failures)
    }

    // MARK: For the engine

    /// Adds the event at an index of a batch. Events must be added in stream order.
    package func add(_ index: Int, of batch: EventBatch) {
        self.batch = batch
        self.waiting.append((index, .next))
    }

    /// Returns the index in its batch of the event at a position.
    package func index(at position: Int) -> Int { self.waiting[position].index }

    /// Returns the decision on the event at a position.
    package func decision(at position: Int) -> Decision { self.waiting[position].decision }

    /// Keeps only the events at the given positions, in ascending order, and lets them wait again.
    package func keep(_ positions: [Int]) {
        self.waiting = positions.map { (self.waiting[$0].index, .next) }
        if self.waiting.isEmpty { self.batch = nil }
    }

    /// Removes all events and keeps the memory.
    package func removeAll() {
        self.batch = nil
        self.waiting.removeAll(keepingCapacity: true)
    }
}
