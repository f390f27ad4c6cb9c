/// An entry in the graph, accessed through its batch.
///
/// It cannot be copied and is only borrowed by a stage for the duration of a call, so no stage can keep it. Field
/// values are accessed by `FieldID`s, which a stage resolves once, when it is created.
@safe
public struct Event: ~Copyable {
    @usableFromInline let storage: UnsafeMutablePointer<BatchStorage>
    /// The event's index in its batch.
    public let index: Int
    /// The event's decoded values. They do not move while the event is borrowed.
    @usableFromInline let row: UnsafeMutablePointer<Cell>

    @inlinable
    init(storage: UnsafeMutablePointer<BatchStorage>, index: Int) {
        unsafe self.storage = storage
        self.index = index
        unsafe self.row = storage.pointee.cells.base + index &* storage.pointee.cellCount
    }

    /// The entry's id in its stream.
    @inlinable
    public var id: EntryID { unsafe self.storage.pointee.id(at: self.index) }

    /// The id by which the event is ordered: the entry's own id or, for a replayed entry, the id of its original.
    ///
    /// Stores compare by this id, as must all code that decides which of two events is newer.
    @inlinable
    public var orderID: EntryID { unsafe self.storage.pointee.headers.base[self.index].orderID }

    /// Whether the entry was added again from a dead-letter stream (`ReplayedEntry`).
    @inlinable
    public var isReplayed: Bool { unsafe self.storage.pointee.hasReplays && self.id != self.orderID }

    /// The stream that the entry came from.
    public var stream: String { unsafe self.storage.pointee.stream }

    /// The number of the stream among those that the source reads, starting at 0.
    @inlinable
    public var streamIndex: Int { unsafe self.storage.pointee.streamIndex }

    /// How often the entry has been delivered, including this time. Greater than 1 if a worker of a consumer group
    /// received the entry and did not finish it; 0 for an event that the worker has added (`isAdded`).
    public var deliveries: Int {
        let counts = unsafe self.storage.pointee.deliveries
        return self.index < counts.count ? counts[self.index] : 1
    }

    /// Whether the source knows that this entry was finished before and rereads it on purpose.
    ///
    /// Only then may a stage finish the event because a store already holds the entry or a newer one: otherwise later
    /// stages may never have seen the event.
    public var isKnownFinished: Bool {
        guard let finished = unsafe self.storage.pointee.finishedUpTo else { return false }
        return self.id <= finished
    }

    // MARK: The original entry

    /// Whether all entries of the batch with a field at a given position are known to have the same field name there.
    ///
    /// A stage that has checked the names of one entry may access the fields of other entries by position, up to the
    /// number of fields that were checked, until the end of the batch.
    @inlinable
    public var namesGoByPosition: Bool { unsafe self.storage.pointee.namesGoByPosition }

    /// The number of fields of the entry, including repeated names.
    @inlinable
    public var rawFieldCount: Int { unsafe Int(self.storage.pointee.headers.base[self.index].fieldCount) }

    /// Returns the entry's field at `position`, in the stream's order. `position` must be less than `rawFieldCount`.
    @inlinable
    public func rawField(at position: Int) -> RawField {
        let header = unsafe self.storage.pointee.headers.base[self.index]
        precondition(position >= 0 && position < Int(header.fieldCount), "no field at that position")
        return unsafe self.storage.pointee.fields.base[Int(header.firstField) + position]
    }

    /// The entry's fields in the stream's order. Unsafe: valid only until the call that borrows this event returns.
    @unsafe
    @inlinable
    public var unsafeRawFields: UnsafeBufferPointer<RawField> {
        let header = unsafe self.storage.pointee.headers.base[self.index]
        return unsafe UnsafeBufferPointer(
            start: self.storage.pointee.fields.base + Int(header.firstField), count: Int(header.fieldCount))
    }

    /// Calls `body` with the bytes of a range of this event's arena.
    @inlinable
    public func withBytes<R, E: Error>(_ range: ByteRange, _ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        try body(unsafe self.unsafeBytes(range).span)
    }

    /// Returns the bytes of a range. Unsafe: valid only until the call that borrows this event returns or sets a value.
    @unsafe
    @inlinable
    public func unsafeBytes(_ range: ByteRange) -> UnsafeBufferPointer<UInt8> {
        let end = Int(range.offset) + Int(range.length)
        precondition(unsafe end <= self.storage.pointee.arena.count, "a range beyond the batch's arena")
        return unsafe UnsafeBufferPointer(
            start: self.storage.pointee.arena.base + Int(range.offset), count: Int(range.length))
    }

    /// Returns the range as text, with bytes that are not UTF-8 replaced. Allocates, so do not use it on the hot path.
    public func text(_ range: ByteRange) -> String {
        unsafe String(decoding: self.unsafeBytes(range), as: UTF8.self)
    }

    // MARK: Decoded values

    /// Returns the field's cell in the table. The check prevents a field of another graph from accessing memory beyond
    /// the table.
    @inlinable
    func cell(_ field: FieldID) -> UnsafeMutablePointer<Cell> {
        precondition(unsafe field.index < self.storage.pointee.cellCount, "a field of another graph")
        return unsafe self.row + field.index
    }

    /// Returns the range of the field's value, or `nil` if the event has none.
    @inlinable
    public func range(of field: FieldID) -> ByteRange? {
        let cell = unsafe self.cell(field).pointee
        return cell.isPresent ? cell.range : nil
    }

    /// Returns the field's number, or `nil` if the field is absent or not a number.
    @inlinable
    public func integer(of field: FieldID) -> Int64? {
        let cell = unsafe self.cell(field).pointee
        return cell.isInteger ? cell.integer : nil
    }

    /// Returns the range of the field's value, and its number if it has one, or `nil` if the event has no value.
    @inlinable
    @inline(__always)
    package func value(of field: FieldID) -> (range: ByteRange, integer: Int64?)? {
        let cell = unsafe self.cell(field).pointee
        return cell.isPresent ? (cell.range, cell.isInteger ? cell.integer : nil) : nil
    }

    /// Calls `body` with the field's bytes, or with `nil` if the event has none.
    @inlinable
    public func withValue<R, E: Error>(of field: FieldID, _ body: (Span<UInt8>?) throws(E) -> R) throws(E) -> R {
        guard let range = self.range(of: field) else { return try body(nil) }
        return try body(unsafe self.unsafeBytes(range).span)
    }

    /// Returns the field's value as text, or `nil` if the event has none. Allocates, so do not use it on the hot path.
    public func text(of field: FieldID) -> String? {
        self.range(of: field).map { self.text($0) }
    }

    /// Returns whether the field's value is exactly these bytes.
    @inlinable
    public func value(of field: FieldID, equals bytes: [UInt8]) -> Bool {
        guard let range = self.range(of: field) else { return false }
        return self.bytes(range, equal: bytes)
    }

    /// Returns whether a range of the event's bytes has exactly these bytes.
    @inlinable
    @inline(__always)
    package func bytes(_ range: ByteRange, equal bytes: [UInt8]) -> Bool {
        unsafe Int(range.length) == bytes.count && self.unsafeBytes(range).span.hasSameBytes(as: bytes)
    }

    /// Sets a field to the bytes of a range, at most `Event.valueLimit` bytes.
    @inlinable
    public mutating func set(_ field: FieldID, range: ByteRange) {
        unsafe self.cell(field).pointee = Cell(
            offset: range.offset, lengthAndKind: range.length | Cell.bytesKind, integer: 0)
    }

    /// Sets a field to a number; `range` is the number's text.
    @inlinable
    public mutating func set(_ field: FieldID, integer: Int64, range: ByteRange) {
        unsafe self.cell(field).pointee = Cell(
            offset: range.offset, lengthAndKind: range.length | Cell.integerKind, integer: integer)
    }

    /// Sets a field to a typed value; `range` is the value's text.
    public mutating func set(_ field: FieldID, typed value: TypedValue, range: ByteRange) {
        unsafe self.storage.pointee.typed.append(value)
        unsafe self.cell(field).pointee = Cell(
            offset: range.offset, lengthAndKind: range.length | Cell.bytesKind,
            integer: Int64(self.storage.pointee.typed.count))
    }

    /// Returns the field's typed value, or `nil` if the field is absent, text or an int64.
    public func typedValue(of field: FieldID) -> TypedValue? {
        let cell = unsafe self.cell(field).pointee
        guard cell.isPresent, !cell.isInteger, cell.integer > 0 else { return nil }
        return unsafe self.storage.pointee.typed.base[Int(cell.integer) - 1]
    }

    /// Returns the field's double, or `nil` if the field is absent or of another type.
    func double(of field: FieldID) -> Double? {
        guard case .double(let number)? = self.typedValue(of: field) else { return nil }
        return number
    }

    /// Sets a field to the value of another one, whatever its type; removes it if the event does not have the other.
    @inlinable
    public mutating func copy(_ source: FieldID, to target: FieldID) {
        unsafe self.cell(target).pointee = self.cell(source).pointee
    }

    /// Copies bytes into the batch and sets a field to them.
    public mutating func set(_ field: FieldID, copying bytes: [UInt8]) {
        let range = unsafe bytes.withUnsafeBytes { unsafe self.storage.pointee.copyToArena($0) }
        self.set(field, range: range)
    }

    /// Copies text into the batch and sets a field to it.
    package mutating func set(_ field: FieldID, copying text: String) {
        var text = text
        let range = text.withUTF8 {
            unsafe self.storage.pointee.copyToArena(UnsafeRawBufferPointer($0))
        }
        self.set(field, range: range)
    }

    /// Sets a field to a copy of bytes while `body` runs. Afterwards the field has no value, and the batch does not keep
    /// the bytes.
    ///
    /// - Parameters:
    ///   - bytes: The bytes.
    ///   - field: A field that only the calling stage uses: see `StageSetup.temporaryField`.
    ///   - body: Called once with the event.
    public mutating func withTemporaryValue(
        _ bytes: Span<UInt8>, of field: FieldID, _ body: (borrowing Event) -> Void
    ) {
        let end = unsafe self.storage.pointee.arena.count
        let range = unsafe bytes.withUnsafeBytes { unsafe self.storage.pointee.copyToArena($0) }
        self.set(field, range: range)
        body(self)
        self.remove(field)
        // `body` only borrows the event, so nothing was added to the arena after the bytes.
        unsafe self.storage.pointee.arena.count = end
    }

    /// Removes a field's value.
    @inlinable
    public mutating func remove(_ field: FieldID) {
        unsafe self.cell(field).pointee = Cell(offset: 0, lengthAndKind: 0, integer: 0)
    }

    /// The maximum length of a value, in bytes. It exceeds Redis's own limit of 512 MiB.
    public static let valueLimit = Int(Cell.lengthLimit)

    // MARK: Results

    /// The maximum number of effects that an event remembers; further effects are ignored.
    public static let effectLimit = 8

    /// Records an effect: something that was done for this event.
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

    /// Sets the outcome that the event will have if it passes all later stages, without finishing it.
    @inlinable
    public mutating func settle(_ outcome: Outcome, _ reason: ReasonID) {
        unsafe self.storage.pointee.states.base[self.index].outcome = outcome
        unsafe self.storage.pointee.states.base[self.index].reason = reason
    }

    /// The outcome that a stage has set so far, with its reason, or `nil` if none has.
    @inlinable
    public var settled: (outcome: Outcome, reason: ReasonID)? {
        let state = unsafe self.storage.pointee.states.base[self.index]
        return state.outcome.map { ($0, state.reason) }
    }

    /// The event's failure, for the stages of a failure branch, or `nil` if the event has not failed.
    public var failure: StageFailure? {
        let index = unsafe self.storage.pointee.states.base[self.index].failure
        return index < 0 ? nil : unsafe self.storage.pointee.failures[Int(index)]
    }

    /// Whether a stage has failed on this event.
    @inlinable
    package var hasFailed: Bool { unsafe self.storage.pointee.states.base[self.index].failure >= 0 }

    /// The index in the graph of the stage that finished the event without failing, or `nil` if none did.
    package var endingStage: Int? {
        let index = unsafe self.storage.pointee.states.base[self.index].failure
        return index < -1 ? Int(-2 - index) : nil
    }

    /// Records that the stage with this index in the graph has finished the event. Does nothing if the event had
    /// failed.
    @inlinable
    package mutating func end(at stage: Int) {
        if self.hasFailed { return }
        unsafe self.storage.pointee.states.base[self.index].failure = -2 - Int32(truncatingIfNeeded: stage)
    }

    /// Records the event's failure.
    package mutating func fail(_ failure: StageFailure) {
        unsafe self.storage.pointee.states.base[self.index].failure = Int32(self.storage.pointee.failures.count)
        unsafe self.storage.pointee.failures.append(failure)
    }
}
