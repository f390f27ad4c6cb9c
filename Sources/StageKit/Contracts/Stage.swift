/// One step in the graph.
///
/// The contract, which `StageTestKit` checks:
/// - **Making.** `init` is called when a pipeline is checked, again when it is run and when its file is reloaded, while
///   other instances work, so it opens nothing and starts nothing; it resolves names through the setup and reports
///   mistakes to it, all of them. Made twice of the same settings, a stage has the same fields and effects. Instances
///   share nothing: what one counts, no other knows.
/// - **Calling.** One instance is called by one thread at a time, events in stream order; the thread may be another from
///   batch to batch. It may keep plain mutable state, bounded by a setting or a named limit. `process` must not wait: it
///   runs on the thread that reads the stream. Entries hold any bytes: no text, no fields, the same field twice, values of
///   megabytes. None of it may crash a stage, for that ends the worker.
/// - **Waiting.** A stage that needs the network declares `waits`: `process` says `.wait` of the events it has work for, and
///   `complete` then does that work for all of them at once. No event of the batch is further on than the stage until
///   it returns, so every stage behind it sees the events in stream order as well. Each wait has a bound, and a stage that
///   works on several events at once reports its steps to `setup.progress`: what reports nothing for longer than the
///   watchdog's time is taken for hung, and the worker is restarted.
/// - **Errors.** A thrown error is this event's failure, never the stage's: the graph's `on_failure` decides what follows
///   and the next event comes as usual. Throw `StageFailure` to choose the words and the reason, which is counted, so it is
///   one of a few names in lower_snake_case and never text of the event. A failing call records no effect, settles
///   nothing, changes nothing outside and nothing that later events feel: where the file says `retry`, the same event
///   comes again, before any behind it. Values it has set on the event stay there, for the failure branch to use.
/// - **Leading to branches.** A stage that says `.branch` names the branches among its declaration's `exits`, so that the
///   graph's checks know every way, and resolves them by `setup.branch`.
/// - **Batches.** How a stream is cut into batches changes nothing that a stage does. `endBatch` is called after the last
///   event of each batch, before the cursor moves; it may wait. A batch may be without events. What `endBatch` throws ends
///   the run with the cursor before the batch, so that nothing is lost.
/// - **Repeats.** After a lost connection or a restart, entries may come again, and the first reading may have stopped
///   anywhere: behind a change of a store, before the message that follows it. So an entry that is not known to be finished
///   passes all its stages however often it is read. State that outlives a batch (a store, a checkpoint, another server) may
///   make a stage do nothing for the event (a store never goes back in time), but must not make it end the event, send it
///   elsewhere or fail. `Event.isKnownFinished` is the only exception. What a stage does outside must bear repetition.
/// - **Shutdown.** A batch in hand is finished first, with its `endBatch`, unless a stage is being tried again, where the
///   cursor stays before the batch; then `shutDown` is called once and the instance is let go.
/// - **Reload.** A changed file makes every stage anew, between two batches: what an instance remembers goes with it, as at
///   a shutdown, and what has to last belongs in a store or a counter.
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

    /// Does the work on the events of which `process` said `.wait`, and says of each one what becomes of it.
    ///
    /// Only called where the declaration says `waits`: once when every event of the batch has come as far as this stage,
    /// with those that wait, in stream order; not at all where none does. Those that failed come again where the file says
    /// `retry`. It may wait, on the same thread as `process`.
    /// What it throws ends the run with the cursor before the batch, so that nothing is lost and everything may come
    /// again: for an event that cannot be helped, call `events.fail` instead. A shutdown lets the batch in hand come to
    /// its end; cancelling the task must make this throw or return soon.
    func complete(_ events: WaitingEvents) async throws

    /// Ends a batch: a place to hand over what was collected.
    func endBatch() async throws

    /// Ends a batch without waiting where that can be done, and says whether it was; where not, `endBatch` is called next.
    ///
    /// An asynchronous call takes hundreds of instructions: beside a reply of one event, that counts. A stage that never
    /// waits at a batch's end has only this one; `endBatch` then does the same. What it throws is what `endBatch` would.
    func endBatchAtOnce() throws -> Bool

    /// Called once, after the last batch, when the run ends, however it ends, or a reload has made the stage anew: a place to
    /// close connections.
    func shutDown() async
}

extension Stage {
    /// Does nothing.
    public func prepare(_ event: borrowing Event) {}

    /// Does nothing: every event goes on.
    public func complete(_ events: WaitingEvents) async throws {}

    /// Does what can be done at once.
    public func endBatch() async throws { _ = try self.endBatchAtOnce() }

    /// Leaves it to `endBatch`.
    public func endBatchAtOnce() throws -> Bool { false }

    /// Does nothing.
    public func shutDown() async {}
}
