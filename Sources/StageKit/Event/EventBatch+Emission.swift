// Events that stages add to a batch while it is processed: see `EmittingStage`.
extension EventBatch {
    /// The time up to which the source has delivered all entries with generated ids, in milliseconds since the epoch by
    /// the clock that generates them.
    ///
    /// Set by a source in a batch without entries (`EventSource.deliverTimes`); `removeAll` clears it.
    public var deliveredUpTo: UInt64? {
        get { unsafe self.storage.pointee.deliveredUpTo }
        set { unsafe self.storage.pointee.deliveredUpTo = newValue }
    }

    /// Adds an event without fields and values behind the entries and returns its index. No event may be borrowed.
    package func appendEmitted(_ id: EntryID) -> Int {
        let index = self.count
        self.appendEntry(id)
        unsafe self.storage.pointee.appendRow()
        return index
    }

    /// Removes the events that were added behind the first `count` ones, so that the source finds only its entries.
    package func removeEmitted(from count: Int) {
        precondition(count <= self.count, "the entries are at the beginning of the batch")
        unsafe self.storage.pointee.headers.count = count
    }
}

extension BatchStorage {
    /// Prepares the values and the state of the last header, which was added after `prepareSlots`.
    fileprivate mutating func appendRow() {
        let (start, added) = unsafe (self.slots.count, self.slotCount)
        unsafe self.slots.reserve(added)
        unsafe (self.slots.base + start).update(
            repeating: Slot(offset: 0, lengthAndKind: 0, integer: 0), count: added)
        unsafe self.slots.count = start + added
        unsafe self.states.append(EventState())
    }
}
