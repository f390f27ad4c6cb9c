/// The events of one reply: the original entries, their decoded values and their results.
///
/// A source fills a batch, the graph processes it, and then it is reused for the next reply, all on one thread at a
/// time. All bytes are in one arena and all fields in one table, so a steady stream of batches allocates nothing.
@safe
public final class EventBatch {
    @usableFromInline let storage: UnsafeMutablePointer<BatchStorage>

    /// The maximum size of the arena in bytes: offsets are 32-bit.
    public static let arenaLimit = Int(UInt32.max)

    /// Creates an empty batch.
    public init() {
        unsafe self.storage = .allocate(capacity: 1)
        unsafe self.storage.initialize(to: BatchStorage())
    }

    deinit {
        unsafe self.storage.pointee.free()
        unsafe self.storage.deinitialize(count: 1)
        unsafe self.storage.deallocate()
    }

    /// The number of events.
    @inlinable
    public var count: Int { unsafe self.storage.pointee.headers.count }

    /// The stream that these events came from, as named in logs and journals.
    public var stream: String {
        get { unsafe self.storage.pointee.stream }
        set { unsafe self.storage.pointee.stream = newValue }
    }

    /// The number of the stream among those that the source reads, starting at 0.
    public var streamIndex: Int {
        get { unsafe self.storage.pointee.streamIndex }
        set { unsafe self.storage.pointee.streamIndex = newValue }
    }

    /// The id of the last entry that the source knows to be finished, or `nil` if it knows of none.
    ///
    /// Set by a source that rereads entries on purpose, for example to confirm the content of the stores, after it has
    /// filled the batch; `removeAll` clears it. An entry is finished when every stage has processed it and its batch
    /// has ended without an error. The content of a store does not prove that an entry is finished, nor does a position
    /// inside a batch that was not completed, nor delivery to a worker of a group without an acknowledgement. See
    /// `Event.isKnownFinished`.
    public var finishedUpTo: EntryID? {
        get { unsafe self.storage.pointee.finishedUpTo }
        set { unsafe self.storage.pointee.finishedUpTo = newValue }
    }

    /// The id of the last entry, or `nil` if the batch is empty.
    public var lastID: EntryID? {
        self.isEmpty ? nil : unsafe self.storage.pointee.id(at: self.count - 1)
    }

    /// Whether the batch has no events.
    public var isEmpty: Bool { self.count == 0 }

    /// Removes all events and keeps the memory.
    public func removeAll() {
        unsafe self.storage.pointee.removeAll()
    }

    /// Calls `body` with the event at `index`, which cannot outlive the call.
    @inlinable
    public func withEvent<R, E: Error>(at index: Int, _ body: (inout Event) throws(E) -> R) throws(E) -> R {
        precondition(index >= 0 && index < self.count, "no event at index \(index) in a batch of \(self.count)")
        var event = unsafe Event(storage: self.storage, index: index)
        return try body(&event)
    }
}

// MARK: - Filling a batch

extension EventBatch {
    /// Starts an entry. The fields appended next belong to it.
    @inlinable
    public func appendEntry(_ id: EntryID) {
        unsafe self.storage.pointee.appendEntry(id)
    }

    /// Starts an entry with `fieldCount` fields. The caller must write all of them, as ranges in the arena, before it
    /// adds anything else.
    @unsafe
    @inlinable
    package func appendEntry(_ id: EntryID, fieldCount: Int) -> UnsafeMutableBufferPointer<RawField> {
        unsafe self.storage.pointee.appendEntry(id, fieldCount: fieldCount)
    }

    /// Adds a field to the current entry, as ranges in the arena.
    ///
    /// Both ranges must be within the arena, which is checked when they are read.
    @inlinable
    public func appendField(name: ByteRange, value: ByteRange) {
        unsafe self.storage.pointee.namesGoByPosition = false
        unsafe self.storage.pointee.fields.append(RawField(name: name, value: value))
        unsafe self.storage.pointee.headers.base[self.count - 1].fieldCount += 1
    }

    /// Adds an entry and copies its fields into the arena. For sources and tests that are not on the hot path.
    public func append(id: EntryID, fields: [(name: [UInt8], value: [UInt8])]) {
        self.appendEntry(id)
        for field in fields {
            let name = self.copyToArena(field.name)
            let value = self.copyToArena(field.value)
            self.appendField(name: name, value: value)
        }
    }

    /// Sets how often the current entry has been delivered, including this time.
    ///
    /// For sources whose server counts deliveries. By default an entry counts as delivered for the first time. An event
    /// that is not an entry of the stream has 0 deliveries (`Event.isAdded`): it can be saved, but not replayed.
    public func setDeliveries(_ count: Int) {
        precondition(!self.isEmpty, "an entry is started before its deliveries are set")
        let missing = unsafe self.count - self.storage.pointee.deliveries.count
        unsafe self.storage.pointee.deliveries.append(contentsOf: repeatElement(1, count: missing))
        unsafe self.storage.pointee.deliveries[self.count - 1] = count
    }

    /// Refuses the current entry: it skips the stages and is handled by `source: on_failure` in the file.
    ///
    /// The failure's reason is counted, or `refused` if it has none.
    ///
    /// - Parameters:
    ///   - failure: The reason why the entry cannot be processed.
    ///   - isPartial: Whether only a part of the entry is missing, and the batch has its other fields. Without
    ///     `source: on_failure`, the first stage then reads these fields and its `on_failure` handles the event, so that
    ///     the stages there know the event's key.
    public func refuse(_ failure: StageFailure, isPartial: Bool = false) {
        precondition(!self.isEmpty, "an entry is started before it is refused")
        var failure = failure
        failure.reason = failure.reason ?? "refused"
        unsafe self.storage.pointee.refusals.append((self.count - 1, failure, isPartial))
    }

    /// Whether the source refused any event.
    package var hasRefusals: Bool { unsafe !self.storage.pointee.refusals.isEmpty }

    /// Whether the source refused an event of which it has added some fields.
    package func isPartial(at index: Int) -> Bool {
        unsafe self.storage.pointee.refusals.contains { $0.index == index && $0.isPartial }
    }

    /// Declares that all entries with a field at a given position have the same field name there, which stages may use
    /// to save lookups. Called after all entries have been added, by a source that is certain of it.
    public func markNamesByPosition() {
        unsafe self.storage.pointee.namesGoByPosition = true
    }

    /// Copies bytes to the end of the arena and returns their range.
    public func copyToArena(_ bytes: [UInt8]) -> ByteRange {
        unsafe bytes.withUnsafeBytes { unsafe self.storage.pointee.copyToArena($0) }
    }

    /// Swaps the arena's memory with the caller's, so that the bytes of a reply become a batch's without a copy.
    ///
    /// All three parameters describe memory from `malloc`: `base` points to `capacity` bytes, of which the first
    /// `count` are initialised. On return the caller owns the batch's previous memory, and the batch owns the caller's.
    /// The batch must be empty.
    @unsafe
    public func exchangeArena(base: inout UnsafeMutablePointer<UInt8>, capacity: inout Int, count: inout Int) {
        precondition(self.isEmpty, "the arena is exchanged before events are added")
        unsafe swap(&self.storage.pointee.arena.base, &base)
        unsafe swap(&self.storage.pointee.arena.capacity, &capacity)
        unsafe swap(&self.storage.pointee.arena.count, &count)
    }

    /// Adds an entry of another batch: a copy of its fields and of everything that its source set for it.
    package func appendCopy(of other: EventBatch, at index: Int) {
        other.withEvent(at: index) { event in
            self.appendEntry(event.id)
            for position in 0..<event.rawFieldCount {
                let field = event.rawField(at: position)
                let name = unsafe self.storage.pointee.copyToArena(
                    UnsafeRawBufferPointer(event.unsafeBytes(field.name)))
                let value = unsafe self.storage.pointee.copyToArena(
                    UnsafeRawBufferPointer(event.unsafeBytes(field.value)))
                self.appendField(name: name, value: value)
            }
            if event.deliveries != 1 { self.setDeliveries(event.deliveries) }
            if event.isReplayed { unsafe self.storage.pointee.setOriginal(event.orderID, at: self.count - 1) }
        }
        guard other.hasRefusals else { return }
        for refusal in unsafe other.storage.pointee.refusals where refusal.index == index {
            self.refuse(refusal.failure, isPartial: refusal.isPartial)
        }
    }

    /// Prepares the table of decoded values for every event: `fieldCount` columns, all absent.
    ///
    /// The engine calls it once for each batch, before the first stage.
    package func prepareCells(fieldCount: Int) {
        unsafe self.storage.pointee.prepareCells(fieldCount: fieldCount)
    }
}
