/// A stage with state that outlives the process: it is saved in the checkpoint with the source's position.
///
/// The engine saves the state between two batches, after every event of the last one has its outcome, and restores it
/// before the first batch of the next run. A reload passes it from the old instance to the new one.
///
/// The saved state may be more recent than the saved position: the entries after the position are read again, and the
/// state may already contain some of them. The stage must recognise those by the ids of their events (`Event.eventID`)
/// and must not change its state for them. Then a restart neither loses nor repeats an event's effect on the state. The
/// id of the entry (`Event.id`) is not enough: behind a stage that expands events, all elements of an entry have it, and
/// a stage that compares it would take the second element for a repetition of the first.
public protocol StatefulStage: Stage {
    /// The state. It belongs to this instance.
    var state: any StageState { get }
}

extension StatefulStage {
    /// This stage.
    public var stateful: (any StatefulStage)? { self }
}

/// The state of a stage, which the engine saves and restores.
///
/// The engine calls both functions while no batch is processed, but on any thread.
public protocol StageState: AnyObject, Sendable {
    /// Returns the state as bytes that another process can restore: at most `StageStateLimits.bytes`.
    func save() -> [UInt8]

    /// Replaces the state with a saved one.
    ///
    /// - Parameter bytes: Bytes that `save` returned, in this or another process. They may be damaged, or come from a
    ///   stage with other settings.
    /// - Throws: The reason why the bytes cannot be used; the state is unchanged then.
    func restore(_ bytes: [UInt8]) throws(StageFailure)
}

/// The limits of saved states.
public enum StageStateLimits {
    /// The maximum size of one stage's state in a checkpoint, in bytes. It is in memory twice while it is saved.
    public static let bytes = 256 << 20
}
