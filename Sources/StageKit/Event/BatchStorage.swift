/// What a batch holds, reached by pointer so that an event is two words and no reference is counted on the hot path.
///
/// Invariants: `slots` has `headers.count * slotCount` values once `prepareSlots` has run, `states` one for each header;
/// header `i` owns the fields `firstField ..< firstField + fieldCount`; ranges are checked against the arena when read.
@unsafe
@usableFromInline
struct BatchStorage {
    /// Starting sizes: one reply of the default read count with five fields an entry fits without growing.
    private static let events = 128
    private static let fieldsAnEvent = 8
    private static let bytesAnEvent = 256

    @usableFromInline var arena = unsafe GrowableBuffer<UInt8>(capacity: events * bytesAnEvent)
    @usableFromInline var headers = unsafe GrowableBuffer<EntryHeader>(capacity: events)
    @usableFromInline var fields = unsafe GrowableBuffer<RawField>(capacity: events * fieldsAnEvent)
    @usableFromInline var slots = unsafe GrowableBuffer<Slot>(capacity: events * fieldsAnEvent)
    @usableFromInline var states = unsafe GrowableBuffer<EventState>(capacity: events)
    @usableFromInline var slotCount = 0
    /// Whether fields at the same position are known to have the same name.
    @usableFromInline var namesGoByPosition = false
    @usableFromInline var failures: [StageFailure] = []
    @usableFromInline var stream = ""
    /// The stream's number among those that the source reads.
    @usableFromInline var streamIndex = 0
    /// Whether `replays` has anything: all that is looked at as long as nothing is replayed.
    @usableFromInline var hasReplays = false
    /// The own ids of replayed entries, whose headers have those of their originals, in the order of their indices.
    @usableFromInline var replays: [(index: Int, id: EntryID)] = []
    /// The last entry id that the source knows to be finished, or `nil` if it knows of none.
    @usableFromInline var finishedUpTo: EntryID?
    /// How often each entry was delivered, by its place; empty where all came for the first time.
    @usableFromInline var deliveries: [Int] = []
    /// What arrived failed already, by its place.
    @usableFromInline var refusals: [(index: Int, failure: StageFailure)] = []

    @inlinable
    mutating func appendEntry(_ id: EntryID) {
        let first = unsafe UInt32(truncatingIfNeeded: self.fields.count)
        unsafe self.namesGoByPosition = false
        unsafe self.headers.append(EntryHeader(orderID: id, firstField: first, fieldCount: 0))
    }

    /// Starts an entry of so many fields; they are the caller's to write.
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

    mutating func prepareSlots(fieldCount: Int) {
        let events = unsafe self.headers.count
        let needed = events * fieldCount
        unsafe self.slotCount = fieldCount
        unsafe self.slots.count = 0
        unsafe self.slots.reserve(needed)
        unsafe self.slots.base.update(repeating: Slot(offset: 0, lengthAndKind: 0, integer: 0), count: needed)
        unsafe self.slots.count = needed
        unsafe self.states.count = 0
        unsafe self.states.reserve(events)
        unsafe self.states.base.update(repeating: EventState(), count: events)
        unsafe self.states.count = events
        unsafe self.failures.removeAll(keepingCapacity: true)
        if unsafe !self.refusals.isEmpty { unsafe self.failRefused() }
    }

    /// Marks what arrived failed.
    @inline(never)
    private mutating func failRefused() {
        for (index, failure) in unsafe self.refusals {
            unsafe self.states.base[index].failure = Int32(self.failures.count)
            unsafe self.failures.append(failure)
        }
    }

    mutating func removeAll() {
        unsafe self.namesGoByPosition = false
        unsafe self.finishedUpTo = nil
        unsafe self.arena.count = 0
        unsafe self.headers.count = 0
        unsafe self.fields.count = 0
        unsafe self.slots.count = 0
        unsafe self.states.count = 0
        unsafe self.failures.removeAll(keepingCapacity: true)
        unsafe self.deliveries.removeAll(keepingCapacity: true)
        unsafe self.refusals.removeAll(keepingCapacity: true)
        unsafe self.hasReplays = false
        unsafe self.replays.removeAll(keepingCapacity: true)
    }

    func free() {
        unsafe self.arena.free()
        unsafe self.headers.free()
        unsafe self.fields.free()
        unsafe self.slots.free()
        unsafe self.states.free()
    }
}

/// The id by which an entry is ordered, and where its fields are.
@frozen
@usableFromInline
struct EntryHeader: BitwiseCopyable {
    /// The entry's id; of a replayed entry, that of its original (`BatchStorage.replays` has its own).
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

/// What has happened to an event so far.
@frozen
@usableFromInline
struct EventState: BitwiseCopyable {
    /// Effects in order, one byte each, the first in the lowest byte.
    @usableFromInline var effects: UInt64 = 0
    @usableFromInline var effectCount: UInt8 = 0
    /// The outcome a stage has settled on without ending the event's way; nil where none has.
    @usableFromInline var outcome: Outcome?
    @usableFromInline var reason = ReasonID.none
    /// Index into the batch's failures; below zero where the event has not failed: -1, or -2 - n where the stage at n of
    /// the graph has ended its way. One number for both, as an event has one of them and there are many events.
    @usableFromInline var failure: Int32 = -1

    @usableFromInline init() {}
}
