/// One step in the graph.
///
/// The contract, which `StageTestKit` checks:
/// - **Creation.** `init` is called when a pipeline is checked, again when it is run, and when its file is reloaded
///   while other instances are running. It therefore opens nothing and starts nothing. It resolves names through the
///   setup and reports all errors to it. Two instances created from the same settings have the same fields and effects.
///   Instances share no state.
/// - **Calls.** An instance is called by one thread at a time, with events in stream order; the thread may change
///   between batches. It may keep plain mutable state, limited by a setting or a named constant. `process` must not
///   wait: it runs on the thread that reads the stream. Entries contain arbitrary bytes: values that are not text, no
///   fields, the same field twice, values of several megabytes. None of this may crash a stage, because a crash ends
///   the worker.
/// - **Waiting.** A stage that needs the network declares `waits`. `process` returns `.wait` for the events that need
///   work, and `complete` then does that work for all of them together. No event of the batch passes the stage until
///   `complete` returns, so later stages also see the events in stream order. Every wait has a limit. A stage that
///   works on several events concurrently reports its steps to `setup.progress`: a stage that reports nothing for
///   longer than the watchdog's timeout is considered hung, and the worker is restarted.
/// - **Elements.** A stage that makes several events of one declares `expands` and calls `WaitingEvents.expand` in
///   `complete`. The same event always has the same elements in the same order, since it may be read again. Each of them
///   passes all later stages; the outcome of the event is the worst of theirs.
/// - **Errors.** A thrown error fails the event, not the stage: the graph's `on_failure` decides what happens to the
///   event, and the next event is processed as usual. Throw `StageFailure` to choose the message and the reason. The
///   reason is counted, so use one of a few names in lower_snake_case, never text of the event. A call that throws must
///   record no effect, set no outcome and change nothing outside of the event or in the stage's state: with `retry` the
///   same event is passed again, before any later event. Values that the stage has set on the event remain, for use in
///   the failure branch.
/// - **Branches.** A stage that returns `.branch` lists its branches in the declaration's `exits`, so that the graph's
///   checks know every path, and resolves them with `setup.branch`.
/// - **Batches.** The division of a stream into batches does not affect the result of a stage. `endBatch` is called
///   after the last event of each batch, before the cursor moves; it may wait. A batch may have no events. An error
///   thrown by `endBatch` ends the run with the cursor before the batch, so that nothing is lost.
/// - **Repeats.** After a lost connection or a restart, entries may be read again, and the first run may have stopped
///   anywhere, for example after a change in a store and before the message that follows it. An entry that is not known
///   to be finished therefore passes all its stages each time it is read. Because of state that outlives a batch (a
///   store, a checkpoint, another server), a stage may do nothing for the event, since a store never goes back in time;
///   but it must not finish the event, send it to a branch or fail it. `Event.isKnownFinished` is the only exception.
///   External effects of a stage must tolerate repetition.
/// - **Shutdown.** The batch in flight is finished first, including its `endBatch`, unless a stage is being retried:
///   the cursor then stays before the batch. Afterwards `shutDown` is called once and the instance is released.
/// - **Reload.** A changed file creates every stage again, between two batches. The state of an instance is lost, as on
///   shutdown; state that has to last belongs in a store, in a counter or in the checkpoint (`StatefulStage`).
/// - **Own events.** A stage whose results are not results of a single event adds events of its own (`EmittingStage`).
/// - **Capabilities.** What only some stages can do is declared: `emitting` and `stateful` return the stage itself if it
///   conforms to that protocol. The engine reads them once for each instance. A stage that wraps another one returns
///   what the wrapped one declares.
public protocol Stage: AnyObject {
    /// The type into which the YAML under the stage's name is decoded.
    associatedtype Settings: Sendable

    /// The name, settings and documentation of the stage type, in the single declaration that all tools read.
    static var declaration: StageDeclaration<Settings> { get }

    /// Creates the stage from its settings. Errors go to `setup.issues`.
    init(_ settings: Settings, _ setup: StageSetup)

    /// This stage if it adds events of its own, otherwise `nil`.
    var emitting: (any EmittingStage)? { get }

    /// This stage if it has a state that outlives the process, otherwise `nil`.
    var stateful: (any StatefulStage)? { get }

    /// Processes one event.
    ///
    /// - Parameter event: The event, which the stage may read and modify.
    /// - Returns: What happens to the event next.
    /// - Throws: An error if the stage fails on the event; `StageFailure` to choose the message and the reason.
    func process(_ event: inout Event) throws -> Verdict

    /// Hints that the event will be processed soon, for example to prefetch memory. It must not change anything.
    ///
    /// Called only if the declaration sets `preparesEvents`.
    func prepare(_ event: borrowing Event)

    /// Does the work for the events for which `process` returned `.wait`, and decides what happens to each.
    ///
    /// Called only if the declaration sets `waits`: once per batch, when every event of the batch has reached this
    /// stage, with the waiting events in stream order. Not called if no event waits. With `retry`, the events that
    /// failed are passed again. It may wait, and runs on the same thread as `process`. On shutdown, the batch in flight
    /// is finished; when the task is cancelled, this function must throw or return soon.
    ///
    /// - Parameter events: The waiting events. Each event continues to the next stage unless it is failed or finished.
    /// - Throws: An error that ends the run with the cursor before the batch: nothing is lost, and every event of the
    ///   batch may be processed again. To fail a single event, call `events.fail` instead.
    func complete(_ events: WaitingEvents) async throws

    /// Ends a batch, for example by sending what was collected.
    func endBatch() async throws

    /// Ends a batch without waiting, if possible.
    ///
    /// An asynchronous call takes hundreds of instructions, which matters if a batch has only one event. A stage that
    /// never waits at the end of a batch implements only this function; the default `endBatch` calls it.
    ///
    /// - Returns: Whether the batch was ended. If not, `endBatch` is called next.
    /// - Throws: The same errors as `endBatch`.
    func endBatchAtOnce() throws -> Bool

    /// Closes connections. Called once, after the last batch, when the run ends for any reason or when a reload has
    /// replaced the stage.
    func shutDown() async
}

extension Stage {
    /// `nil`: every event that leaves the stage was passed to it.
    public var emitting: (any EmittingStage)? { nil }

    /// `nil`: nothing of the stage is saved.
    public var stateful: (any StatefulStage)? { nil }

    /// Does nothing.
    public func prepare(_ event: borrowing Event) {}

    /// Does nothing: every event continues to the next stage.
    public func complete(_ events: WaitingEvents) async throws {}

    /// Calls `endBatchAtOnce`.
    public func endBatch() async throws { _ = try self.endBatchAtOnce() }

    /// Returns `false`, so that `endBatch` is called.
    public func endBatchAtOnce() throws -> Bool { false }

    /// Does nothing.
    public func shutDown() async {}
}
