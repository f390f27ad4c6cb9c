// Events that are not, or not completely, an entry of the stream.
extension Event {
    /// Whether the worker has added the event, so that the stream has no entry with its id and fields: a stage for a window
    /// of time (`EmittingStage`), or a source for a key that a bootstrap reads.
    public var isAdded: Bool { self.deliveries == 0 }

    /// Whether the source left out a part of the entry, for example a value that is too large (`EventBatch.refuse`).
    public var isPartial: Bool {
        // The failures of refused events are the first ones of the batch, in the order of the refusals. The event of an
        // element has the failure of its entry.
        let failure = unsafe Int(self.storage.pointee.states.base[self.index].failure)
        let refusals = unsafe self.storage.pointee.refusals
        return failure >= 0 && failure < refusals.count && refusals[failure].isPartial
    }
}
