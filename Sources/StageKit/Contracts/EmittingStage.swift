/// A stage that adds events of its own to the stream, such as the totals of a window of time.
///
/// The contract, in addition to that of `Stage`:
/// - **Order.** After each call of `process`, the engine takes the pending events. They continue with the next stage in
///   the order in which they were added, before the event of that call does. The division into batches has no effect.
/// - **Repeats.** An added event is processed in the batch of the entry that caused it, so the cursor passes that entry
///   only when the added event has its outcome. If the entry is read again, the stage adds the event again, with the
///   same id and the same values, unless the stage's saved state contains the entry (`StatefulStage`). Receivers
///   therefore see an added event at least once, and recognise a repeated one by its id or values.
/// - **Fields.** An added event has only the fields that the stage sets on it. The stage declares them with
///   `StageSetup.emits`; the checks of later stages rely on it.
/// - **Outcomes.** Each added event has an outcome of its own, which is counted, in addition to that of the entry. It is
///   not an element of the event during which it was added, and has no part in that event's outcome.
/// - **Limits.** The number of events that one call adds is limited by a setting or a named constant.
public protocol EmittingStage: Stage {
    /// Whether there are events to add. Read after each call of `process`.
    var hasEmissions: Bool { get }

    /// Adds the pending events and forgets them.
    func emit(into events: EmittedEvents)

    /// Whether `advance` does anything.
    var followsTime: Bool { get }

    /// Called while the stream is silent: all entries whose ids have a time up to this one have been delivered.
    ///
    /// The stage may have events to add then, which are taken after the call. Only sources that know the time of their
    /// stream cause calls, so a stage must not depend on them, and must do the same when the next entry is later.
    ///
    /// - Parameter milliseconds: The time in milliseconds since the epoch, by the clock that generates the ids.
    func advance(to milliseconds: UInt64)

    /// Whether the id of every added event is greater than the ids of all entries before the one that caused it, and
    /// greater than those of all events with the same key that were added before. Stores decide by ids which of two
    /// events is newer, so no later stage may use a store if this is `false`.
    var emitsInOrder: Bool { get }
}

extension EmittingStage {
    /// This stage.
    public var emitting: (any EmittingStage)? { self }

    /// `false`.
    public var followsTime: Bool { false }

    /// Does nothing.
    public func advance(to milliseconds: UInt64) {}
}

/// Receives the events that a stage adds; valid during the call of `emit`.
public final class EmittedEvents {
    private let batch: EventBatch
    /// The index in the batch of the first added event.
    private let start: Int

    /// Creates a receiver that appends to a batch.
    package init(_ batch: EventBatch) {
        self.batch = batch
        self.start = batch.count
    }

    /// The indices in the batch of the added events.
    package var indices: Range<Int> { self.start..<self.batch.count }

    /// Adds an event without values.
    ///
    /// - Parameters:
    ///   - id: The id of the event, which must be the same whenever the same event is added.
    ///   - fields: The fields of an equivalent entry, for stages that store or print entries, such as `dead_letter`.
    ///   - fill: Sets the values of the event.
    public func add(
        id: EntryID, fields: [(name: [UInt8], value: [UInt8])] = [], _ fill: (inout Event) -> Void
    ) {
        let index = self.batch.appendOwn(id)
        // No stream has delivered it: see `Event.isAdded`.
        self.batch.setDeliveries(0)
        for field in fields {
            let name = self.batch.copyToArena(field.name)
            self.batch.appendField(name: name, value: self.batch.copyToArena(field.value))
        }
        self.batch.withEvent(at: index, fill)
    }
}
