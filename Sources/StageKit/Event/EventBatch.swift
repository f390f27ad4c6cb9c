/// The events of one reply: the entries as they came, the decoded values of each, and what became of them.
///
/// A batch is filled by a source, worked on by the graph and used again for the next reply, all on one thread at a time.
/// All bytes sit in one arena and all fields in one table, so that a steady stream of batches allocates nothing.
@safe
public final class EventBatch {
    @usableFromInline let storage: UnsafeMutablePointer<BatchStorage>

    /// The largest arena in bytes: offsets in it are 32-bit.
    public static let arenaLimit = Int(UInt32.max)

    /// Makes an empty batch.
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

    /// The stream these events came from, as logs and journals name it.
    public var stream: String {
        get { unsafe self.storage.pointee.stream }
        set { unsafe self.storage.pointee.stream = newValue }
    }

    /// The number of the stream among those that the source reads, from 0 on.
    package var streamIndex: Int {
        get { unsafe self.storage.pointee.streamIndex }
        set { unsafe self.storage.pointee.streamIndex = newValue }
    }

    /// The last entry id that the source knows to be finished, or `nil` if it knows of none.
    ///
    /// Set by a source that reads entries again on purpose, such as to confirm what the stores hold, after it has filled
    /// the batch; `removeAll` clears it. An entry is finished when every stage is done with it and its batch has ended
    /// without an error. What a store holds does not make an entry finished, nor does a position inside a batch that was
    /// not completed, nor delivery to a worker of a group without its acknowledgement. See `Event.isKnownFinished`.
    public var finishedUpTo: EntryID? {
        get { unsafe self.storage.pointee.finishedUpTo }
        set { unsafe self.storage.pointee.finishedUpTo = newValue }
    }

    /// The id of the last entry, nil in an empty batch.
    public var lastID: EntryID? {
        self.isEmpty ? nil : unsafe self.storage.pointee.id(at: self.count - 1)
    }

    /// Whether there is no event.
    public var isEmpty: Bool { self.count == 0 }

    /// Forgets all events and keeps the memory.
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
    /// Starts an entry; the fields appended next belong to it.
    @inlinable
    public func appendEntry(_ id: EntryID) {
        unsafe self.storage.pointee.appendEntry(id)
    }

    /// Starts an entry of so many fields, which the caller must write, each by its ranges in the arena: all of them, before
    /// anything else is added.
    @unsafe
    @inlinable
    package func appendEntry(_ id: EntryID, fieldCount: Int) -> UnsafeMutableBufferPointer<RawField> {
        unsafe self.storage.pointee.appendEntry(id, fieldCount: fieldCount)
    }

    /// Adds a field of the entry started last, by its ranges in the arena.
    ///
    /// Both ranges must lie in the arena, which is checked where they are read.
    @inlinable
    public func appendField(name: ByteRange, value: ByteRange) {
        unsafe self.storage.pointee.namesGoByPosition = false
        unsafe self.storage.pointee.fields.append(RawField(name: name, value: value))
        unsafe self.storage.pointee.headers.base[self.count - 1].fieldCount += 1
    }

    /// Adds an entry whose fields are copied into the arena: for sources and tests that are not on the hot path.
    public func append(id: EntryID, fields: [(name: [UInt8], value: [UInt8])]) {
        self.appendEntry(id)
        for field in fields {
            let name = self.copyToArena(field.name)
            let value = self.copyToArena(field.value)
            self.appendField(name: name, value: value)
        }
    }

    /// Says that the entry started last has been delivered so often, this time included.
    ///
    /// For sources whose server counts it; entries of which nothing is said came for the first time.
    public func setDeliveries(_ count: Int) {
        precondition(!self.isEmpty, "an entry is started before its deliveries are told")
        let missing = unsafe self.count - self.storage.pointee.deliveries.count
        unsafe self.storage.pointee.deliveries.append(contentsOf: repeatElement(1, count: missing))
        unsafe self.storage.pointee.deliveries[self.count - 1] = count
    }

    /// Says that the entry started last is not for the stages: it goes where the file's `source: on_failure` leads.
    ///
    /// The failure's reason is counted; one without counts as `refused`.
    public func refuse(_ failure: StageFailure) {
        precondition(!self.isEmpty, "an entry is started before it is refused")
        var failure = failure
        failure.reason = failure.reason ?? "refused"
        unsafe self.storage.pointee.refusals.append((self.count - 1, failure))
    }

    /// Whether any event arrived failed.
    package var hasRefusals: Bool { unsafe !self.storage.pointee.refusals.isEmpty }

    /// Says that fields at the same position have the same name in all entries that have so many, which stages may make use
    /// of; to be called when all have been added, by a source that knows it for certain.
    public func markNamesByPosition() {
        unsafe self.storage.pointee.namesGoByPosition = true
    }

    /// Copies bytes to the end of the arena.
    public func copyToArena(_ bytes: [UInt8]) -> ByteRange {
        unsafe bytes.withUnsafeBytes { unsafe self.storage.pointee.copyToArena($0) }
    }

    /// Swaps the arena's memory with the caller's: how a reply's bytes become a batch's without a copy.
    ///
    /// All three describe malloc'ed memory (`base` from `malloc`, `capacity` bytes, the first `count` of them written).
    /// On return the caller owns what was the batch's and the batch owns what was the caller's. Call it on an empty batch.
    @unsafe
    public func exchangeArena(base: inout UnsafeMutablePointer<UInt8>, capacity: inout Int, count: inout Int) {
        precondition(self.isEmpty, "the arena is exchanged before events are added")
        unsafe swap(&self.storage.pointee.arena.base, &base)
        unsafe swap(&self.storage.pointee.arena.capacity, &capacity)
        unsafe swap(&self.storage.pointee.arena.count, &count)
    }

    /// Adds an entry of another batch, with a copy of its fields and all that its source said of it.
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
            if event.deliveries > 1 { self.setDeliveries(event.deliveries) }
            if event.isReplayed { unsafe self.storage.pointee.setOriginal(event.orderID, at: self.count - 1) }
        }
        guard other.hasRefusals else { return }
        for refusal in unsafe other.storage.pointee.refusals where refusal.index == index {
            self.refuse(refusal.failure)
        }
    }

    /// Makes the table of decoded values: `fieldCount` columns, all absent, for every event.
    ///
    /// The engine calls it once for each batch, before the first stage.
    package func prepareSlots(fieldCount: Int) {
        unsafe self.storage.pointee.prepareSlots(fieldCount: fieldCount)
    }
}
