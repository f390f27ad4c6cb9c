import StageKit

/// Changes a memory store; called from one thread at a time.
@safe
final class MemoryStoreWriter: SnapshotWriter {
    /// The most keys that are kept in mind: as many as the engine works on events together. A power of two.
    static let hintLimit = 32

    private let store: MemoryStore
    private let key: FieldID
    private let isUsable: Bool
    private let draft: RecordDraft
    /// Hashes of the keys that were noted last; a wrong one costs time and nothing else. Plain memory for `hintLimit` of them
    /// that is freed with the writer, each at its number's place in turn: an array would be checked for being unique.
    private let hints: UnsafeMutableBufferPointer<UInt64>
    /// How many were noted since records were last looked for.
    private var hintCount = 0

    /// Makes a writer that keeps `columns`.
    init(_ store: MemoryStore, _ columns: RecordColumns) {
        self.store = store
        self.key = columns.key
        self.draft = RecordDraft(columns, limit: store.maxRecordBytes)
        self.isUsable =
            columns.fields.count <= FieldNames.recordLimit
            && columns.fields.allSatisfy { $0.number != FieldNames.none }
        unsafe self.hints = .allocate(capacity: Self.hintLimit)
        unsafe self.hints.initialize(repeating: 0)
    }

    deinit {
        unsafe self.hints.deallocate()
    }

    /// Yes: everything is in the store already.
    var endsBatchesAtOnce: Bool { true }

    /// Notes the key: its record is fetched from memory with those of the keys noted beside it, before the first change.
    func prepare(_ event: borrowing Event) {
        guard let range = event.range(of: self.key) else { return }
        let hash = event.withBytes(range) { self.store.hasher.hash($0) }
        unsafe self.hints[self.hintCount & (Self.hintLimit - 1)] = hash
        self.hintCount += 1
    }

    /// Holds the event's snapshot: see `SnapshotWriter`.
    func upsert(_ event: borrowing Event) throws -> StoreChange {
        guard self.isUsable else {
            throw StageFailure("store \"\(self.store.name)\" keeps at most \(FieldNames.recordLimit) different fields")
        }
        if self.hintCount > 0 { self.fetchHints() }
        let range = try self.keyRange(of: event)
        return try event.withBytes(range) { (key) throws(StageFailure) in
            try self.store.upsert(event, key: key, self.draft)
        }
    }

    /// Takes out what is held under the event's key: see `SnapshotWriter`.
    func evict(_ event: borrowing Event) throws -> StoreChange {
        let range = try self.keyRange(of: event)
        return event.withBytes(range) { (key) in
            self.store.evict(event.orderID, of: event.streamIndex, key: key, self.draft)
        }
    }

    private func keyRange(of event: borrowing Event) throws(StageFailure) -> ByteRange {
        if let range = event.range(of: self.key) { return range }
        throw StageFailure("store \"\(self.store.name)\": the event has no \(self.store.keyField)")
    }

    /// Has the records fetched whose keys were noted last, in two steps: what tells where a record is comes first.
    ///
    /// One right behind the other, so that memory answers several at once: how far apart two steps for one key would have to
    /// be, among the work on other events, depends on the machine.
    @inline(never)
    private func fetchHints() {
        let count = min(self.hintCount, Self.hintLimit)
        for place in 0..<count { self.store.fetchLine(unsafe self.hints[place]) }
        for place in 0..<count { self.store.fetchRecord(unsafe self.hints[place]) }
        self.hintCount = 0
    }
}
