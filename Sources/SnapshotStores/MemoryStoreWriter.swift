import StageKit

/// Changes a memory store; called from one thread at a time.
final class MemoryStoreWriter: SnapshotWriter {
    /// So many keys are looked for ahead of their upserts in one go: about as many loads as a core has under way.
    private static let hintLimit = 16

    private let store: MemoryStore
    private let columns: RecordColumns
    private let isUsable: Bool
    /// Hashes of the keys that are to come; a wrong one costs time and nothing else.
    private var hints: [UInt64] = []

    /// Makes a writer that keeps `columns`.
    init(_ store: MemoryStore, _ columns: RecordColumns) {
        self.store = store
        self.columns = columns
        self.isUsable =
            columns.fields.count < FieldNames.limit
            && columns.fields.allSatisfy { $0.number != FieldNames.none }
        self.hints.reserveCapacity(MemoryStoreWriter.hintLimit)
    }

    /// Notes the key, to have its record fetched from memory together with those of the events around it.
    func prepare(_ event: borrowing Event) {
        guard let range = event.range(of: self.columns.key) else { return }
        self.hints.append(event.withBytes(range) { self.store.hasher.hash($0) })
        if self.hints.count == MemoryStoreWriter.hintLimit { self.fetchHints() }
    }

    /// Holds the event's snapshot: see `SnapshotWriter`.
    func upsert(_ event: borrowing Event) throws -> StoreChange {
        guard self.isUsable else {
            throw StageFailure("store \"\(self.store.name)\" keeps at most \(FieldNames.limit) different fields")
        }
        if !self.hints.isEmpty { self.fetchHints() }
        let range = try self.keyRange(of: event)
        return try event.withBytes(range) { (key) throws(StageFailure) in
            try self.store.upsert(event, key: key, self.columns)
        }
    }

    /// Takes out what is held under the event's key: see `SnapshotWriter`.
    func evict(_ event: borrowing Event) throws -> StoreChange {
        let range = try self.keyRange(of: event)
        return event.withBytes(range) { (key) in self.store.evict(event.id, key: key) }
    }

    private func keyRange(of event: borrowing Event) throws(StageFailure) -> ByteRange {
        if let range = event.range(of: self.columns.key) { return range }
        throw StageFailure("store \"\(self.store.name)\": the event has no \(self.store.keyField)")
    }

    private func fetchHints() {
        self.store.fetch(self.hints.span)
        self.hints.removeAll(keepingCapacity: true)
    }
}
