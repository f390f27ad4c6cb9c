import StageKit

/// Changes a memory store; called from one thread at a time.
@safe
final class MemoryStoreWriter: SnapshotWriter {
    private let store: MemoryStore
    private let key: FieldID
    private let isUsable: Bool
    private let draft: RecordDraft
    /// Hashes of the keys that are to come; a wrong one costs time and nothing else. Plain memory for
    /// `MemoryStore.fetchLimit` of them that is freed with the writer, the first `hintCount` of them noted: an array would
    /// be checked for being unique.
    private let hints: UnsafeMutableBufferPointer<UInt64>
    private var hintCount = 0

    /// Makes a writer that keeps `columns`.
    init(_ store: MemoryStore, _ columns: RecordColumns) {
        self.store = store
        self.key = columns.key
        self.draft = RecordDraft(columns, limit: store.maxRecordBytes)
        self.isUsable =
            columns.fields.count < FieldNames.limit
            && columns.fields.allSatisfy { $0.number != FieldNames.none }
        unsafe self.hints = .allocate(capacity: MemoryStore.fetchLimit)
        unsafe self.hints.initialize(repeating: 0)
    }

    deinit {
        unsafe self.hints.deallocate()
    }

    /// Yes: everything is in the store already.
    var endsBatchesAtOnce: Bool { true }

    /// Notes the key, to have its record fetched from memory together with those of the events around it.
    func prepare(_ event: borrowing Event) {
        guard let range = event.range(of: self.key) else { return }
        let count = self.hintCount
        // Below the limit: it is never reached without being emptied.
        unsafe self.hints[count] = event.withBytes(range) { self.store.hasher.hash($0) }
        self.hintCount = count + 1
        if count + 1 == MemoryStore.fetchLimit { self.fetchHints() }
    }

    /// Holds the event's snapshot: see `SnapshotWriter`.
    func upsert(_ event: borrowing Event) throws -> StoreChange {
        guard self.isUsable else {
            throw StageFailure("store \"\(self.store.name)\" keeps at most \(FieldNames.limit) different fields")
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
        return event.withBytes(range) { (key) in self.store.evict(event.id, key: key, self.draft) }
    }

    private func keyRange(of event: borrowing Event) throws(StageFailure) -> ByteRange {
        if let range = event.range(of: self.key) { return range }
        throw StageFailure("store \"\(self.store.name)\": the event has no \(self.store.keyField)")
    }

    private func fetchHints() {
        let noted = unsafe UnsafeBufferPointer(start: self.hints.baseAddress, count: self.hintCount)
        self.hintCount = 0
        self.store.fetch(unsafe noted.span)
    }
}
