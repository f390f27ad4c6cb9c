// The events that a stage makes of the elements of another event. They are at the end of the batch, behind those of the
// entries, and exist until the batch has been processed.
extension EventBatch {
    /// The number of events that are entries.
    package var entryCount: Int { unsafe min(self.count, self.storage.pointee.firstElement) }

    /// Adds the events of an event's elements: copies of its values and of its failure, without effects and outcome.
    ///
    /// No event of the batch may be borrowed, because the values of all events may move. The bytes of the values and of
    /// the entry's fields are shared, not copied.
    ///
    /// - Parameters:
    ///   - index: The event, which must not be that of an element.
    ///   - count: The number of elements, at least 1.
    /// - Returns: The indices of the new events, in order.
    package func appendElements(of index: Int, count: Int) -> Range<Int> {
        precondition(index >= 0 && index < self.entryCount && count > 0, "elements of an event of the batch")
        return unsafe self.storage.pointee.appendElements(of: index, count: count)
    }

    /// Removes the events of elements, so that the batch again has the events that its source has added.
    package func removeElements() {
        if self.entryCount < self.count { unsafe self.storage.pointee.removeElements() }
    }
}

extension BatchStorage {
    fileprivate mutating func appendElements(of index: Int, count: Int) -> Range<Int> {
        let first = unsafe self.headers.count
        let columns = unsafe self.slotCount
        if unsafe self.firstElement == .max { unsafe self.firstElement = first }
        let header = unsafe self.headers.base[index]
        var state = EventState()
        // The numbers below -1 are those of stages that have finished the event.
        state.failure = unsafe max(-1, self.states.base[index].failure)
        unsafe self.headers.reserve(count)
        unsafe self.states.reserve(count)
        unsafe self.slots.reserve(count * columns)
        for number in 0..<count {
            unsafe self.headers.append(header)
            unsafe self.states.append(state)
            for column in 0..<columns { unsafe self.slots.append(self.slots.base[index * columns + column]) }
            unsafe self.elements.append(number)
        }
        let id = unsafe self.id(at: index)
        if id != header.orderID {
            for new in first..<(first + count) { unsafe self.replays.append((new, id)) }
        }
        let deliveries = unsafe index < self.deliveries.count ? self.deliveries[index] : 1
        if deliveries > 1 {
            let missing = unsafe first - self.deliveries.count
            unsafe self.deliveries.append(contentsOf: repeatElement(1, count: missing))
            unsafe self.deliveries.append(contentsOf: repeatElement(deliveries, count: count))
        }
        return first..<(first + count)
    }

    fileprivate mutating func removeElements() {
        let first = unsafe self.firstElement
        unsafe self.headers.count = first
        unsafe self.states.count = first
        unsafe self.slots.count = first * self.slotCount
        unsafe self.replays.removeAll { $0.index >= first }
        unsafe self.deliveries.removeLast(max(0, self.deliveries.count - first))
        unsafe self.forgetElements()
    }

    /// Records that the batch has no events of elements.
    mutating func forgetElements() {
        unsafe self.firstElement = .max
        unsafe self.elements.removeAll(keepingCapacity: true)
    }
}
