import Foundation
import StageKit
import Testing

@testable import SnapshotStores

/// A store with one writer, and events made of plain values.
struct Harness {
    /// A field's value: nothing, text, or text that was decoded as a number.
    enum Value: Equatable {
        case absent
        case bytes([UInt8])
        case integer(Int64, text: String)

        static func text(_ text: String) -> Value { .bytes(Array(text.utf8)) }
    }

    static let names = ["id", "user", "status", "revoked_at_ms", "expires_at"]
    /// Set by `make stores`.
    private static let isLong = ProcessInfo.processInfo.environment["SLUICE_STORES"] != nil

    /// Returns the number of rounds of a test with random or concurrent changes: ten times `count` for `make stores`.
    static func rounds(_ count: Int) -> Int { self.isLong ? count * 10 : count }

    let store: MemoryStore
    let writer: any SnapshotWriter
    let batch = EventBatch()

    init(
        maxEntries: Int = 1_000_000, maxRecordBytes: Int = 64 << 10, mask: UInt64 = .max,
        evictions: Int = EvictionMemory.limit, shards: Int = 4, recordMemory: Int = 1 << 30,
        conditions: [NamedSetting<ConditionSettings>] = [], expiry: ExpirySettings = ExpirySettings(),
        clock: ExpiryClock? = nil, unannounced: Int = ExpiryState.unannouncedLimit, index: [String] = [],
        share: StoreShare? = nil
    ) {
        self.store = MemoryStore(
            name: "sessions", keyField: "id", maxEntries: maxEntries, maxRecordBytes: maxRecordBytes,
            conditions: conditions, expiry: expiry, clock: clock, unannounced: unannounced,
            index: index.map { LocatedName($0, at: SettingPosition(line: 1, column: 1)) },
            hasher: KeyHasher(mask: mask),
            evictions: evictions, shards: shards, recordMemory: recordMemory, share: share)
        self.writer = Harness.writer(of: self.store)
    }

    static func writer(of store: MemoryStore) -> any SnapshotWriter {
        let fields = self.names.enumerated().map { (name: $1, field: FieldID(index: $0)) }
        return store.makeWriter(key: FieldID(index: 0), fields: fields)
    }

    /// Lends an event with these values, in the order of `names`; a batch is used again for each.
    static func withEvent<R>(
        _ batch: EventBatch, _ id: EntryID, _ values: [Value], _ body: (borrowing Event) throws -> R
    ) rethrows -> R {
        batch.removeAll()
        batch.appendEntry(id)
        batch.prepareCells(fieldCount: self.names.count)
        return try batch.withEvent(at: 0) { event in
            for (index, value) in values.enumerated() {
                switch value {
                case .absent: break
                case .bytes(let bytes): event.set(FieldID(index: index), copying: bytes)
                case .integer(let integer, let text):
                    let range = batch.copyToArena(Array(text.utf8))
                    event.set(FieldID(index: index), integer: integer, range: range)
                }
            }
            return try body(event)
        }
    }

    func upsert(_ id: EntryID, _ values: [Value]) throws -> StoreChange {
        try Harness.withEvent(self.batch, id, values) { try self.writer.upsert($0) }
    }

    func upsert(_ key: String, _ id: UInt64, status: String = "active") throws -> StoreChange {
        try self.upsert(Harness.entry(id), [.text(key), .text("u"), .text(status)])
    }

    func evict(_ key: String, _ id: UInt64) throws -> StoreChange {
        try Harness.withEvent(self.batch, Harness.entry(id), [.text(key)]) { try self.writer.evict($0) }
    }

    static func entry(_ id: UInt64) -> EntryID { EntryID(milliseconds: id / 3, sequence: id % 3) }
}
