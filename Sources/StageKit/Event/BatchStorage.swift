/// The contents of a batch, accessed by pointer so that an event is two words and the hot path counts no references.
///
/// Invariants: after `prepareCells`, `cells` has `headers.count * cellCount` values and `states` has one for each
/// header. Header `i` owns the fields `firstField ..< firstField + fieldCount`, which the headers of its elements share.
/// Ranges are checked against the arena when they are read. The number of a typed value in a cell is at most
/// `typed.count`, which only grows until `prepareCells` clears all cells.
@unsafe
@usableFromInline
struct BatchStorage {
    /// Initial sizes: one reply of the default read count with five fields per entry fits without growing.
    private static let events = 128
    private static let fieldsAnEvent = 8
    private static let bytesAnEvent = 256

    @usableFromInline var arena = unsafe GrowableBuffer<UInt8>(capacity: events * bytesAnEvent)
    @usableFromInline var headers = unsafe GrowableBuffer<EntryHeader>(capacity: events)
    @usableFromInline var fields = unsafe GrowableBuffer<RawField>(capacity: events * fieldsAnEvent)
    @usableFromInline var cells = unsafe GrowableBuffer<Cell>(capacity: events * fieldsAnEvent)
    @usableFromInline var states = unsafe GrowableBuffer<EventState>(capacity: events)
    @usableFromInline var cellCount = 0
    /// Whether fields at the same position are known to have the same name.
    @usableFromInline var namesGoByPosition = false
    @usableFromInline var failures: [StageFailure] = []
    @usableFromInline var stream = ""
    /// The stream's number among those that the source reads.
    @usableFromInline var streamIndex = 0
    /// Whether `replays` is not empty. As long as nothing is replayed, this is all that has to be checked.
    @usableFromInline var hasReplays = false
    /// The entries' own ids of replayed entries, in the order of their indices. Their headers have the ids of the
    /// originals.
    @usableFromInline var replays: [(index: Int, id: EntryID)] = []
    /// The last entry id that the source knows to be finished, or `nil` if it knows of none.
    @usableFromInline var finishedUpTo: EntryID?
    /// The time up to which all entries were delivered, or `nil` if it is not known.
    @usableFromInline var deliveredUpTo: UInt64?
    /// How often each entry was delivered, by its index. Empty if all were delivered for the first time.
    @usableFromInline var deliveries: [Int] = []
    /// The events that the source refused, by their index.
    @usableFromInline var refusals: [(index: Int, failure: StageFailure, isPartial: Bool)] = []
    /// The values that are neither text nor int64; a cell of the kind bytes holds the number of its value here,
    /// starting at 1, or 0 if it has none.
    @usableFromInline var typed = unsafe GrowableBuffer<TypedValue>(capacity: 0)
    /// The index of the first event that a stage has added; above all indices if there is none.
    @usableFromInline var firstAdded = Int.max
    /// The number of the element of each event from `firstAdded` on; negative for a stage's own event.
    @usableFromInline var elements: [Int] = []

    @inlinable
    mutating func appendEntry(_ id: EntryID) {
        let first = unsafe UInt32(truncatingIfNeeded: self.fields.count)
        unsafe self.namesGoByPosition = false
        unsafe self.headers.append(EntryHeader(orderID: id, firstField: first, fieldCount: 0))
    }

    /// Starts an entry with `fieldCount` fields, which the caller has to write.
    @inlinable
    mutating func appendEntry(_ id: EntryID, fieldCount: Int) -> UnsafeMutableBufferPointer<RawField> {
        unsafe self.fields.reserve(fieldCount)
        let (first, count) = unsafe (self.fields.count, UInt32(truncatingIfNeeded: fieldCount))
        unsafe self.namesGoByPosition = false
        unsafe self.headers.append(
            EntryHeader(orderID: id, firstField: UInt32(truncatingIfNeeded: first), fieldCount: count))
        unsafe self.fields.count = first + fieldCount
        return unsafe UnsafeMutableBufferPointer(start: self.fields.base + first, count: fieldCount)
    }

    mutating func copyToArena(_ bytes: UnsafeRawBufferPointer) -> ByteRange {
        unsafe self.arena.reserve(bytes.count)
        let offset = unsafe self.arena.count
        precondition(offset + bytes.count <= EventBatch.arenaLimit, "a batch's arena ends at 4 GiB")
        unsafe UnsafeMutableRawBufferPointer(start: self.arena.base + offset, count: bytes.count).copyMemory(
            from: bytes)
        unsafe self.arena.count += bytes.count
        return ByteRange(offset: UInt32(offset), length: UInt32(bytes.count))
    }

    mutating func prepareCells(fieldCount: Int) {
        let events = unsafe self.headers.count
        let needed = events * fieldCount
        unsafe self.cellCount = fieldCount
        unsafe self.cells.count = 0
        unsafe self.cells.reserve(needed)
        unsafe self.cells.base.update(repeating: Cell(offset: 0, lengthAndKind: 0, integer: 0), count: needed)
        unsafe self.cells.count = needed
        unsafe self.states.count = 0
        unsafe self.states.reserve(events)
        unsafe self.states.base.update(repeating: EventState(), count: events)
        unsafe self.states.count = events
        unsafe self.typed.count = 0
        unsafe self.failures.removeAll(keepingCapacity: true)
        if unsafe !self.refusals.isEmpty { unsafe self.failRefused() }
    }

    /// Marks the refused events as failed.
    @inline(never)
    private mutating func failRefused() {
        for (index, failure, _) in unsafe self.refusals {
            unsafe self.states.base[index].failure = Int32(self.failures.count)
            unsafe self.failures.append(failure)
        }
    }

    mutating func removeAll() {
        unsafe self.namesGoByPosition = false
        unsafe self.finishedUpTo = nil
        unsafe self.deliveredUpTo = nil
        unsafe self.arena.count = 0
        unsafe self.headers.count = 0
        unsafe self.fields.count = 0
        unsafe self.cells.count = 0
        unsafe self.states.count = 0
        unsafe self.typed.count = 0
        unsafe self.failures.removeAll(keepingCapacity: true)
        unsafe self.deliveries.removeAll(keepingCapacity: true)
        unsafe self.refusals.removeAll(keepingCapacity: true)
        unsafe self.hasReplays = false
        unsafe self.replays.removeAll(keepingCapacity: true)
        if unsafe self.firstAdded != .max { unsafe self.forgetAdded() }
    }

    func free() {
        unsafe self.arena.free()
        unsafe self.headers.free()
        unsafe self.fields.free()
        unsafe self.cells.free()
        unsafe self.states.free()
        unsafe self.typed.free()
    }
}

/// The id by which an entry is ordered, and the location of its fields.
@frozen
@usableFromInline
struct EntryHeader: BitwiseCopyable {
    /// The entry's id. For a replayed entry, the id of its original; its own id is in `BatchStorage.replays`.
    @usableFromInline var orderID: EntryID
    @usableFromInline var firstField: UInt32
    @usableFromInline var fieldCount: UInt32

    @inlinable
    init(orderID: EntryID, firstField: UInt32, fieldCount: UInt32) {
        self.orderID = orderID
        self.firstField = firstField
        self.fieldCount = fieldCount
    }
}

/// The state of an event.
@frozen
@usableFromInline
struct EventState: BitwiseCopyable {
    /// Effects in order, one byte each, the first in the lowest byte.
    @usableFromInline var effects: UInt64 = 0
    @usableFromInline var effectCount: UInt8 = 0
    /// The outcome that a stage has set without finishing the event, or `nil` if none has.
    @usableFromInline var outcome: Outcome?
    @usableFromInline var reason = ReasonID.none
    /// The index into the batch's failures, or negative if the event has not failed: -1, or -2 - n if the stage with
    /// index n in the graph has finished it. One number serves both, because an event has only one of them and there
    /// are many events.
    @usableFromInline var failure: Int32 = -1

    @usableFromInline init() {}
}
