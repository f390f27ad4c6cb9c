// Events that stages add to a batch while it is processed: those for the elements of another event
// (`WaitingEvents.expand`), and a stage's own (`EmittingStage`). Both are behind the entries, in the order in which they
// were added, and exist until the batch has been processed. Their place in the stream order is known to the engine.
extension EventBatch {
    /// The time up to which the source has delivered all entries with generated ids, in milliseconds since the epoch by
    /// the clock that generates them.
    ///
    /// Set by a source in a batch without entries (`EventSource.deliverTimes`); `removeAll` clears it.
    public var deliveredUpTo: UInt64? {
        get { unsafe self.storage.pointee.deliveredUpTo }
        set { unsafe self.storage.pointee.deliveredUpTo = newValue }
    }

    /// The number of events that are entries.
    package var entryCount: Int { unsafe min(self.count, self.storage.pointee.firstAdded) }

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
        precondition(index >= 0 && index < self.count && count > 0, "elements of an event of the batch")
        precondition(unsafe self.storage.pointee.element(at: index) == nil, "an element has no elements")
        return unsafe self.storage.pointee.appendElements(of: index, count: count)
    }

    /// Adds an event of a stage's own, without fields and values, and returns its index. No event may be borrowed.
    package func appendOwn(_ id: EntryID) -> Int {
        let index = self.count
        unsafe self.storage.pointee.beginAdding()
        self.appendEntry(id)
        unsafe self.storage.pointee.appendRow()
        return index
    }

    /// Removes the events that stages have added, so that the batch again has the events that its source has added.
    package func removeAdded() {
        if self.entryCount < self.count { unsafe self.storage.pointee.removeAdded() }
    }
}

extension BatchStorage {
    /// The number of the element that an event was made of, or `nil` for an entry and for a stage's own event.
    func element(at index: Int) -> Int? {
        guard unsafe index >= self.firstAdded else { return nil }
        let number = unsafe self.elements[index - self.firstAdded]
        return number < 0 ? nil : number
    }

    /// Records the end of the entries.
    fileprivate mutating func beginAdding() {
        if unsafe self.firstAdded == .max { unsafe self.firstAdded = self.headers.count }
    }

    fileprivate mutating func appendElements(of index: Int, count: Int) -> Range<Int> {
        unsafe self.beginAdding()
        let first = unsafe self.headers.count
        let columns = unsafe self.cellCount
        let header = unsafe self.headers.base[index]
        var state = EventState()
        // The numbers below -1 are those of stages that have finished the event.
        state.failure = unsafe max(-1, self.states.base[index].failure)
        unsafe self.headers.reserve(count)
        unsafe self.states.reserve(count)
        unsafe self.cells.reserve(count * columns)
        for number in 0..<count {
            unsafe self.headers.append(header)
            unsafe self.states.append(state)
            for column in 0..<columns { unsafe self.cells.append(self.cells.base[index * columns + column]) }
            unsafe self.elements.append(number)
        }
        let id = unsafe self.id(at: index)
        if id != header.orderID {
            for new in first..<(first + count) { unsafe self.replays.append((new, id)) }
        }
        let deliveries = unsafe index < self.deliveries.count ? self.deliveries[index] : 1
        if deliveries != 1 {
            let missing = unsafe first - self.deliveries.count
            unsafe self.deliveries.append(contentsOf: repeatElement(1, count: missing))
            unsafe self.deliveries.append(contentsOf: repeatElement(deliveries, count: count))
        }
        return first..<(first + count)
    }

    /// Prepares the values and the state of the last header, which is that of a stage's own event.
    fileprivate mutating func appendRow() {
        let (start, added) = unsafe (self.cells.count, self.cellCount)
        unsafe self.cells.reserve(added)
        unsafe (self.cells.base + start).update(
            repeating: Cell(offset: 0, lengthAndKind: 0, integer: 0), count: added)
        unsafe self.cells.count = start + added
        unsafe self.states.append(EventState())
        unsafe self.elements.append(Self.noElement)
    }

    /// The number in `elements` of a stage's own event.
    private static let noElement = -1

    fileprivate mutating func removeAdded() {
        let first = unsafe self.firstAdded
        unsafe self.headers.count = first
        unsafe self.states.count = first
        unsafe self.cells.count = first * self.cellCount
        unsafe self.replays.removeAll { $0.index >= first }
        unsafe self.deliveries.removeLast(max(0, self.deliveries.count - first))
        unsafe self.forgetAdded()
    }

    /// Records that the batch has no events that stages have added.
    mutating func forgetAdded() {
        unsafe self.firstAdded = .max
        unsafe self.elements.removeAll(keepingCapacity: true)
    }
}
