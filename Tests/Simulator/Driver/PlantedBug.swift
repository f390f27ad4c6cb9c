/// Mistakes that can be planted, each one that such a worker could have: the simulator is worth what it finds of them.
enum PlantedBug: String, CaseIterable, Sendable {
    /// The cursor moves when a reply begins to come, before its entries are handled.
    case cursorBeforeDelivery = "cursor-before-delivery"
    /// The cursor is not held against the stream when a connection is made.
    case noCheckOnConnect = "no-check-on-connect"
    /// The stream is never looked at again while it is read.
    case noPeriodicCheck = "no-periodic-check"
    /// The answer to a look counts before the entries of reads sent before it.
    case lookOutOfTurn = "look-out-of-turn"
    /// An older entry overwrites a newer one.
    case olderOverwrites = "older-overwrites"
    /// An eviction leaves no trace of its entry.
    case evictionForgotten = "eviction-forgotten"
    /// The bookmark that a checkpoint takes is moved before the entries up to it are applied.
    case checkpointAhead = "checkpoint-ahead"
    /// A checkpoint is kept although the stores were emptied while it was written.
    case checkpointAcrossGap = "checkpoint-across-gap"
    /// The stream's end is asked for when the keys have been read.
    case tailAfterScan = "tail-after-scan"
    /// The first read begins at the end as it is when the read gets to the server.
    case tailAtFirstRead = "tail-at-first-read"
    /// What was read of another server's stream is kept after a gap.
    case storesKeptOverGap = "stores-kept-over-gap"
    /// What a reply proves counts as soon as it has come, before its entries are applied.
    case proofOnArrival = "proof-on-arrival"
    /// Lookups are answered while the store is being filled.
    case answersWhileFilling = "answers-while-filling"
    /// An event ends at a store that holds it already or something newer, whoever has or has not seen it.
    case endsAtTheStore = "ends-at-the-store"
    /// What the store of a checkpoint holds counts as finished, beyond the checkpoint's cursor.
    case heldCountsAsFinished = "held-counts-as-finished"
    /// The cursor moves when the store has a batch's entries, before the stage behind it is done with them.
    case cursorBeforeEffects = "cursor-before-effects"
    /// A stream that is read again counts as finished up to the entry behind the cursor.
    case finishedTooFar = "finished-too-far"
    /// An effect that failed is tried again behind the others of its batch.
    case triedAgainBehind = "tried-again-behind"
}
