import RESP
import StageKit

/// Collects the changes of a batch, which the store then makes together. Called from one thread at a time.
final class RedisStoreWriter: DeferredWriter {
    /// A change of a key.
    struct Change: Sendable {
        /// The requested change.
        var request: BatchHistory.Request
        /// The command that makes the change.
        var command: RESPCommand
        /// The event's stream if several feed the store, otherwise empty.
        var stream = ""
    }

    private let store: RedisStore
    private let key: FieldID
    private let fields: [(name: [UInt8], field: FieldID)]
    /// The failure of every upsert if the configured fields cannot be stored, otherwise `nil`.
    private let refusal: StageFailure?
    /// Whether a field has the name of the store's own field for the stream.
    private let hasStreamField: Bool
    private var changes: [Change] = []
    /// The keys that this writer has changed since the batch began.
    private var changed: Set<[UInt8]> = []

    /// Creates a writer that stores these columns.
    init(_ store: RedisStore, key: FieldID, fields: [(name: String, field: FieldID)]) {
        self.store = store
        self.key = key
        self.fields = fields.map { (Array($0.name.utf8), $0.field) }
        self.hasStreamField = fields.contains { $0.name == SnapshotScript.streamField }
        let own = [SnapshotScript.entryField, SnapshotScript.evictedField]
        if let field = fields.first(where: { own.contains($0.name) }) {
            self.refusal = StageFailure("store \"\(store.name)\" reserves the field name \(field.name)")
        } else if fields.count > RedisStoreSettings.fieldLimit {
            self.refusal = StageFailure(
                "store \"\(store.name)\" keeps at most \(RedisStoreSettings.fieldLimit) fields per snapshot")
        } else {
            self.refusal = nil
        }
    }

    /// Does nothing: there is nothing to prefetch.
    func prepare(_ event: borrowing Event) {}

    /// Collects the event's snapshot; see `DeferredWriter`.
    func upsert(_ event: borrowing Event) throws -> StoreChange {
        if let refusal { throw refusal }
        if self.hasStreamField, !self.store.streamName(event).isEmpty {
            throw StageFailure("store \"\(self.store.name)\" reserves the field name \(SnapshotScript.streamField)")
        }
        let key = try self.serverKey(event)
        var values: [[UInt8]] = []
        values.reserveCapacity(self.fields.count * 2)
        for (name, field) in self.fields {
            // Integers are written in canonical form, without surrounding characters; other values byte for byte.
            if let integer = event.integer(of: field), field != self.key {
                values += [name, integer.respBytes]
                continue
            }
            event.withValue(of: field) { value in
                guard let value else { return }
                values += [name, [UInt8](copying: value)]
            }
        }
        let size = values.reduce(key.count) { $0 + $1.count }
        guard size <= self.store.settings.maxRecordBytes else {
            throw StageFailure(
                "store \"\(self.store.name)\" refuses a record of \(size) bytes: max_record_bytes is "
                    + "\(self.store.settings.maxRecordBytes)")
        }
        let time = self.store.settings.timeToLive.map { max(1, $0.microseconds / 1000) } ?? 0
        self.take(.upsert, key, event, time, values)
        return .applied
    }

    /// Collects an eviction; see `DeferredWriter`.
    func evict(_ event: borrowing Event) throws -> StoreChange {
        let time = max(1, self.store.settings.evictionMemory.microseconds / 1000)
        self.take(.evict, try self.serverKey(event), event, time, [])
        return .applied
    }

    /// Makes the collected changes; see `DeferredWriter`.
    func settle() async throws -> [Result<StoreChange, RefusedChange>] {
        if self.changes.isEmpty { return [] }
        let changes = self.changes
        self.changes.removeAll(keepingCapacity: true)
        self.changed.formUnion(changes.lazy.map(\.request.key))
        return try await self.store.make(changes)
    }

    /// Makes the remaining changes and ends the batch.
    func endBatch() async throws {
        _ = try await self.settle()
        self.store.endBatch(self.changed)
        self.changed.removeAll(keepingCapacity: true)
    }

    private func take(
        _ change: SnapshotScript.Change, _ key: [UInt8], _ event: borrowing Event, _ milliseconds: Int64,
        _ fields: [[UInt8]]
    ) {
        let stream = self.store.streamName(event)
        let command = SnapshotScript.command(
            change, key: key, entry: event.orderID, milliseconds: milliseconds, fields: fields, stream: stream,
            isOfHeldOnly: event.isReplayed && !self.store.hasSeen(event))
        let request = BatchHistory.Request(key: key, entry: event.orderID, change: change, position: event.id)
        self.changes.append(Change(request: request, command: command, stream: stream))
    }

    private func serverKey(_ event: borrowing Event) throws(StageFailure) -> [UInt8] {
        guard let range = event.range(of: self.key) else {
            throw StageFailure("store \"\(self.store.name)\": the event has no \(self.store.keyField)")
        }
        return event.withBytes(range) { self.store.serverKey($0) }
    }
}
