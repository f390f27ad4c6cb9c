/// One entry on its way through the graph, seen through its batch.
///
/// It cannot be copied and is only lent to a stage for the length of a call, so no stage can keep one. Field values are
/// reached by the `FieldID`s that a stage resolves once, when it is made.
@safe
public struct Event: ~Copyable {
    @usableFromInline let storage: UnsafeMutablePointer<BatchStorage>
    /// The event's place in its batch.
    public let index: Int
    /// Where the event's decoded values are, once there is room for them: they stay there as long as the event is lent.
    @usableFromInline let row: UnsafeMutablePointer<Slot>

    @inlinable
    init(storage: UnsafeMutablePointer<BatchStorage>, index: Int) {
        unsafe self.storage = storage
        self.index = index
        unsafe self.row = storage.pointee.slots.base + index &* storage.pointee.slotCount
    }

    /// The entry's id in its stream.
    @inlinable
    public var id: EntryID { unsafe self.storage.pointee.id(at: self.index) }

    /// The id by which the event is ordered: the entry's own, or that of its original if the entry is a replayed one.
    ///
    /// Stores compare by it, and so must everything that decides which of two events is newer.
    @inlinable
    public var orderID: EntryID { unsafe self.storage.pointee.headers.base[self.index].orderID }

    /// Whether the entry was added again from a dead-letter stream (`ReplayedEntry`).
    @inlinable
    public var isReplayed: Bool { unsafe self.storage.pointee.hasReplays && self.id != self.orderID }

    /// The stream the entry came from.
    public var stream: String { unsafe self.storage.pointee.stream }

    /// The number of the stream among those that the source reads, from 0 on.
    @inlinable
    package var streamIndex: Int { unsafe self.storage.pointee.streamIndex }

    /// How often the entry has been delivered, this time included: more than once where a consumer group's worker took it
    /// and did not bring it to its outcome.
    public var deliveries: Int {
        let counts = unsafe self.storage.pointee.deliveries
        return self.index < counts.count ? counts[self.index] : 1
    }

    /// Whether the source knows that this entry was finished before and reads it again on purpose.
    ///
    /// Only then may a stage end the event because a store already holds the entry or something newer: otherwise the
    /// stages behind it may never have seen the event.
    public var isKnownFinished: Bool {
        guard let finished = unsafe self.storage.pointee.finishedUpTo else { return false }
        return self.id <= finished
    }

    // MARK: The entry as it came

    /// Whether fields at the same position are known to have the same name, in all entries of the batch that have so many.
    ///
    /// A stage that has looked at the names of one may take the fields of others by position, as far as these go, until its
    /// batch ends.
    @inlinable
    public var namesGoByPosition: Bool { unsafe self.storage.pointee.namesGoByPosition }

    /// How many fields the entry has, repeated names included.
    @inlinable
    public var rawFieldCount: Int { unsafe Int(self.storage.pointee.headers.base[self.index].fieldCount) }

    /// The entry's field at `position`, in the stream's order; `position` must be below `rawFieldCount`.
    @inlinable
    public func rawField(at position: Int) -> RawField {
        let header = unsafe self.storage.pointee.headers.base[self.index]
        precondition(position >= 0 && position < Int(header.fieldCount), "no field at that position")
        return unsafe self.storage.pointee.fields.base[Int(header.firstField) + position]
    }

    /// The entry's fields in the stream's order, without a scope: valid until the call that was lent this event returns.
    @unsafe
    @inlinable
    public var unsafeRawFields: UnsafeBufferPointer<RawField> {
        let header = unsafe self.storage.pointee.headers.base[self.index]
        return unsafe UnsafeBufferPointer(
            start: self.storage.pointee.fields.base + Int(header.firstField), count: Int(header.fieldCount))
    }

    /// Lends the bytes of a range of this event's arena.
    @inlinable
    public func withBytes<R, E: Error>(_ range: ByteRange, _ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        try body(unsafe self.unsafeBytes(range).span)
    }

    /// The bytes of a range, without a scope: valid until the call that was lent this event returns or sets a value.
    @unsafe
    @inlinable
    public func unsafeBytes(_ range: ByteRange) -> UnsafeBufferPointer<UInt8> {
        let end = Int(range.offset) + Int(range.length)
        precondition(unsafe end <= self.storage.pointee.arena.count, "a range beyond the batch's arena")
        return unsafe UnsafeBufferPointer(
            start: self.storage.pointee.arena.base + Int(range.offset), count: Int(range.length))
    }

    /// The range as text, each byte that is not UTF-8 replaced; allocates, so not for the hot path.
    public func text(_ range: ByteRange) -> String {
        unsafe String(decoding: self.unsafeBytes(range), as: UTF8.self)
    }

    // MARK: Decoded values

    /// The field's place in the table; the check keeps a field of another graph from reaching beyond it.
    @inlinable
    func slot(_ field: FieldID) -> UnsafeMutablePointer<Slot> {
        precondition(unsafe field.index < self.storage.pointee.slotCount, "a field of another graph")
        return unsafe self.row + field.index
    }

    /// Where the field's value is, nil where the event has none.
    @inlinable
    public func range(of field: FieldID) -> ByteRange? {
        let slot = unsafe self.slot(field).pointee
        return slot.isPresent ? slot.range : nil
    }

    /// The field's number, nil where it is absent or not a number.
    @inlinable
    public func integer(of field: FieldID) -> Int64? {
        let slot = unsafe self.slot(field).pointee
        return slot.isInteger ? slot.integer : nil
    }

    /// Where the field's value is, and its number if it has one, nil where the event has no value.
    @inlinable
    @inline(__always)
    package func value(of field: FieldID) -> (range: ByteRange, integer: Int64?)? {
        let slot = unsafe self.slot(field).pointee
        return slot.isPresent ? (slot.range, slot.isInteger ? slot.integer : nil) : nil
    }

    /// Lends the field's bytes, nil where the event has none.
    @inlinable
    public func withValue<R, E: Error>(of field: FieldID, _ body: (Span<UInt8>?) throws(E) -> R) throws(E) -> R {
        guard let range = self.range(of: field) else { return try body(nil) }
        return try body(unsafe self.unsafeBytes(range).span)
    }

    /// The field's value as text, nil where the event has none; allocates, so not for the hot path.
    public func text(of field: FieldID) -> String? {
        self.range(of: field).map { self.text($0) }
    }

    /// Whether the field's value is exactly these bytes.
    @inlinable
    public func value(of field: FieldID, equals bytes: [UInt8]) -> Bool {
        guard let range = self.range(of: field), Int(range.length) == bytes.count else { return false }
        return unsafe self.unsafeBytes(range).span.hasSameBytes(as: bytes)
    }

    /// Gives a field the bytes of a range as its value. Values are at most `Event.valueLimit` bytes.
    @inlinable
    public mutating func set(_ field: FieldID, range: ByteRange) {
        unsafe self.slot(field).pointee = Slot(
            offset: range.offset, lengthAndKind: range.length | Slot.bytesKind, integer: 0)
    }

    /// Gives a field a number as its value; `range` is the number's text.
    @inlinable
    public mutating func set(_ field: FieldID, integer: Int64, range: ByteRange) {
        unsafe self.slot(field).pointee = Slot(
            offset: range.offset, lengthAndKind: range.length | Slot.integerKind, integer: integer)
    }

    /// Copies bytes into the batch and gives them to a field as its value.
    public mutating func set(_ field: FieldID, copying bytes: [UInt8]) {
        let range = unsafe bytes.withUnsafeBytes { unsafe self.storage.pointee.copyToArena($0) }
        self.set(field, range: range)
    }

    /// Takes a field's value away.
    @inlinable
    public mutating func remove(_ field: FieldID) {
        unsafe self.slot(field).pointee = Slot(offset: 0, lengthAndKind: 0, integer: 0)
    }

    /// The longest value, in bytes: beyond Redis's own limit of 512 MiB.
    public static let valueLimit = Int(Slot.lengthLimit)

    // MARK: What has become of it

    /// How many effects an event remembers; a graph that records more keeps the first of them.
    public static let effectLimit = 8

    /// Notes that something was done for this event, in order.
    @inlinable
    public mutating func record(_ effect: EffectID) {
        let count = unsafe self.storage.pointee.states.base[self.index].effectCount
        guard count < UInt8(Event.effectLimit) else { return }
        unsafe self.storage.pointee.states.base[self.index].effects |= UInt64(effect.index) << (UInt64(count) * 8)
        unsafe self.storage.pointee.states.base[self.index].effectCount = count + 1
    }

    /// The effects recorded so far, in order.
    public var effects: [EffectID] {
        let state = unsafe self.storage.pointee.states.base[self.index]
        return (0..<Int(state.effectCount)).map {
            EffectID(index: UInt8(truncatingIfNeeded: state.effects >> ($0 * 8)))
        }
    }

    /// Sets the outcome the event will have if it goes through, without ending its way.
    @inlinable
    public mutating func settle(_ outcome: Outcome, _ reason: ReasonID) {
        unsafe self.storage.pointee.states.base[self.index].outcome = outcome
        unsafe self.storage.pointee.states.base[self.index].reason = reason
    }

    /// The outcome that a stage has settled on so far, with its reason.
    @inlinable
    public var settled: (outcome: Outcome, reason: ReasonID)? {
        let state = unsafe self.storage.pointee.states.base[self.index]
        return state.outcome.map { ($0, state.reason) }
    }

    /// Why the event failed, for the stages of a failure branch; nil on an event that has not.
    public var failure: StageFailure? {
        let index = unsafe self.storage.pointee.states.base[self.index].failure
        return index < 0 ? nil : unsafe self.storage.pointee.failures[Int(index)]
    }

    /// Whether a stage has failed on this event.
    @inlinable
    package var hasFailed: Bool { unsafe self.storage.pointee.states.base[self.index].failure >= 0 }

    /// The stage that ended the event's way without failing, by its index in the graph; nil where none did.
    package var endingStage: Int? {
        let index = unsafe self.storage.pointee.states.base[self.index].failure
        return index < -1 ? Int(-2 - index) : nil
    }

    /// Notes that a stage, by its index in the graph, has ended the event's way; does nothing on one that had failed.
    @inlinable
    package mutating func end(at stage: Int) {
        if self.hasFailed { return }
        unsafe self.storage.pointee.states.base[self.index].failure = -2 - Int32(truncatingIfNeeded: stage)
    }

    /// Notes why the event failed.
    package mutating func fail(_ failure: StageFailure) {
        unsafe self.storage.pointee.states.base[self.index].failure = Int32(self.storage.pointee.failures.count)
        unsafe self.storage.pointee.failures.append(failure)
    }
}
