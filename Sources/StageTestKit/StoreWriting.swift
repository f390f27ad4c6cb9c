import ComponentKit
import StageKit

/// Changes a store event by event, with a writer for upserts and one for evictions, as two stages have. Used by one
/// thread.
final class StoreWriting {
    /// A value of a field: bytes, and the number if there is one.
    typealias Value = (bytes: [UInt8], number: Int64?)

    /// The origin of an event.
    struct Origin {
        /// The number of the stream.
        var stream = 0
        /// Whether the entry is a replayed one: its own id is greater than that of its original.
        var isReplayed = false
    }

    private let writers: (upsert: any SnapshotWriter, evict: any SnapshotWriter)
    private let batch = EventBatch()

    /// Creates the writers of a store.
    init(_ store: any SnapshotStore) {
        let columns = Self.names(store).enumerated().map { (name: $1, field: FieldID(index: $0)) }
        self.writers = (
            store.makeWriter(key: FieldID(index: 0), fields: columns),
            store.makeWriter(key: FieldID(index: 0), fields: [])
        )
    }

    /// The names of the columns that a snapshot keeps. No event has a value in the last one.
    static func names(_ store: any SnapshotStore) -> [String] { [store.keyField, "value", "number", "absent"] }

    /// Stores a snapshot with a value.
    func upsert(_ key: [UInt8], _ entry: UInt64, _ value: String, from origin: Origin = Origin()) throws -> StoreChange
    {
        try self.change(.upsert(value), key, entry, [(Array(value.utf8), nil)], from: origin)
    }

    /// Removes a snapshot.
    func evict(_ key: [UInt8], _ entry: UInt64, from origin: Origin = Origin()) throws -> StoreChange {
        try self.change(.evict, key, entry, [], from: origin)
    }

    /// Makes one change; `values` are those of the columns after the key.
    func change(
        _ change: StoreScenario.Change, _ key: [UInt8], _ entry: UInt64, _ values: [Value],
        from origin: Origin = Origin()
    ) throws -> StoreChange {
        self.batch.removeAll()
        self.batch.streamIndex = origin.stream
        let id = StoreCheck.entry(entry)
        if origin.isReplayed {
            let original = (Array(ReplayedEntry.field.utf8), Array(id.description.utf8))
            self.batch.append(id: EntryID(milliseconds: entry, sequence: 1), fields: [original])
            self.batch.takeOriginals()
        } else {
            self.batch.append(id: id, fields: [])
        }
        self.batch.prepareCells(fieldCount: 4)
        return try self.batch.withEvent(at: 0) { event in
            event.set(FieldID(index: 0), copying: key)
            for (index, value) in values.enumerated() {
                if let number = value.number {
                    let range = self.batch.copyToArena(value.bytes)
                    event.set(FieldID(index: index + 1), integer: number, range: range)
                } else {
                    event.set(FieldID(index: index + 1), copying: value.bytes)
                }
            }
            switch change {
            case .upsert:
                self.writers.upsert.prepare(event)
                return try self.writers.upsert.upsert(event)
            case .evict: return try self.writers.evict.evict(event)
            }
        }
    }

    /// Ends a batch as a worker does.
    func endBatch() async throws {
        for writer in [self.writers.upsert, self.writers.evict] where !writer.endsBatchesAtOnce {
            try await writer.endBatch()
        }
    }
}
