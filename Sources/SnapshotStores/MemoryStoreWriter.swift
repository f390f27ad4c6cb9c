import StageKit

/// Changes a memory store; called from one thread at a time.
@safe
final class MemoryStoreWriter: SnapshotWriter {
    /// The maximum number of keys that are prefetched: as many as the engine processes together. A power of two.
    static let hintLimit = 32

    private let store: MemoryStore
    private let key: FieldID
    private let isUsable: Bool
    private let draft: RecordDraft
    /// Hashes of the last prepared keys; a wrong one only costs time. A ring in plain memory for `hintLimit` hashes,
    /// freed with the writer: an array would be checked for unique ownership.
    private let hints: UnsafeMutableBufferPointer<UInt64>
    /// The number of keys prepared since records were last prefetched.
    private var hintCount = 0

    /// Creates a writer that stores `columns`.
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

    /// `true`: everything is in the store already.
    var endsBatchesAtOnce: Bool { true }

    /// Records the key, whose record is prefetched together with those of other prepared keys, before the first change.
    func prepare(_ event: borrowing Event) {
        guard let range = event.range(of: self.key) else { return }
        let hash = event.withBytes(range) { self.store.hasher.hash($0) }
        unsafe self.hints[self.hintCount & (Self.hintLimit - 1)] = hash
        self.hintCount += 1
    }

    /// Stores the event's snapshot: see `SnapshotWriter`.
    func upsert(_ event: borrowing Event) throws -> StoreChange {
        guard self.isUsable else {
            throw StageFailure("store \"\(self.store.name)\" keeps at most \(FieldNames.recordLimit) different fields")
        }
        if self.hintCount > 0 { self.fetchHints() }
        let range = try self.keyRange(of: event)
        return try event.withBytes(range) { (key) throws(StageFailure) -> StoreChange in
            while true {
                do throws(StageFailure) {
                    return try self.store.upsert(event, key: key, self.draft)
                } catch {
                    // Each time, snapshots that have expired are removed, so this ends.
                    guard self.store.makeRoom() else { throw error }
                }
            }
        }
    }

    /// Removes the snapshot under the event's key: see `SnapshotWriter`.
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

    /// Prefetches the records of the last prepared keys in two steps: first the lines with their locations, then the
    /// records.
    ///
    /// The fetches of a step follow each other directly, so that memory serves several at the same time. The best
    /// distance between the two steps for one key, among the processing of other events, would depend on the machine.
    @inline(never)
    private func fetchHints() {
        let count = min(self.hintCount, Self.hintLimit)
        for index in 0..<count { self.store.fetchLine(unsafe self.hints[index]) }
        for index in 0..<count { self.store.fetchRecord(unsafe self.hints[index]) }
        self.hintCount = 0
    }
}
