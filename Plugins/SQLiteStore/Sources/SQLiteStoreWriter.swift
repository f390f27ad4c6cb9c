import StageKit

/// Changes a SQLite store; called from one thread at a time.
final class SQLiteStoreWriter: SnapshotWriter {
    private let store: SQLiteStore
    private let key: FieldID
    private let fields: [(name: String, field: FieldID)]

    /// Creates a writer that stores these columns.
    init(_ store: SQLiteStore, key: FieldID, fields: [(name: String, field: FieldID)]) {
        self.store = store
        self.key = key
        self.fields = fields
    }

    /// Does nothing: there is nothing to prefetch.
    func prepare(_ event: borrowing Event) {}

    /// Stores the event's snapshot; see `SnapshotWriter`.
    func upsert(_ event: borrowing Event) throws -> StoreChange {
        let key = try self.keyBytes(event)
        var fields: [Snapshot.Field] = []
        for (name, field) in self.fields {
            guard let bytes = Self.bytes(of: field, event) else { continue }
            fields.append(Snapshot.Field(name: name, bytes: bytes, integer: event.integer(of: field)))
        }
        return try self.store.upsert(event, key: key, fields: fields)
    }

    /// Removes the snapshot under the event's key; see `SnapshotWriter`.
    func evict(_ event: borrowing Event) throws -> StoreChange {
        try self.store.evict(event.orderID, of: event.streamIndex, key: self.keyBytes(event))
    }

    /// Writes the changes of the batch. If several stages or lanes change the store, the first one writes all of them.
    func endBatch() async throws {
        try await self.store.flush()
    }

    private func keyBytes(_ event: borrowing Event) throws(StageFailure) -> [UInt8] {
        if let key = Self.bytes(of: self.key, event) { return key }
        throw StageFailure("store \"\(self.store.name)\": the event has no \(self.store.keyField)")
    }

    private static func bytes(of field: FieldID, _ event: borrowing Event) -> [UInt8]? {
        event.withValue(of: field) { value -> [UInt8]? in
            guard let value else { return nil }
            return [UInt8](copying: value)
        }
    }
}
