import StageKit

/// The known deliveries of entries that are delivered again.
struct Redelivery {
    /// The content of a reply.
    struct Result: Sendable, Equatable {
        /// The number of entries in the batch.
        var count = 0
        /// The number of them that were delivered too often.
        var refused = 0
        /// Pending entries that the stream no longer has.
        var deleted: [EntryID] = []
        /// The number of entries that the stream no longer has and whose ids are not reported: Redis 6.2's reply to
        /// XAUTOCLAIM.
        var nameless = 0
    }

    /// The entries to take, with their deliveries.
    let take: GroupMachine.Take
    /// Decides which entries were delivered too often.
    let machine: GroupMachine

    /// Records the deliveries of the last entry of a batch; returns whether it is refused because there were too many.
    func record(_ id: EntryID, in batch: EventBatch) -> Bool {
        // An entry that became idle only after the query was delivered at least once before.
        let deliveries = self.take.deliveries[id] ?? 2
        batch.setDeliveries(deliveries)
        guard let failure = self.machine.refusal(deliveries: deliveries) else { return false }
        batch.refuse(failure)
        return true
    }
}

extension EventBatch {
    /// The ids of all events.
    var ids: [EntryID] {
        (0..<self.count).map { index in self.withEvent(at: index) { $0.id } }
    }
}
