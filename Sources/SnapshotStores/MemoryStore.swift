public import StageKit
import Synchronization

/// Snapshots in this process's memory, made for many look-ups a second beside one stream of changes.
///
/// Keys are spread over shards, each a hash table of packed records under a lock of its own that is held for well under a
/// microsecond. Look-ups in place (`check`, `withSnapshot`) allocate nothing, and neither do changes of keys that are
/// held, as long as the new record fits the old one's memory. Memory for slots and evicted keys is kept for keys to come
/// and given back by `removeAll`.
public final class MemoryStore: SweepingStore, StreamFedStore {
    /// The limits of a memory store.
    public enum Limits {
        /// Snapshots, by default: some 1.4 GB of sessions.
        public static let entries = 10_000_000
        /// Snapshots, at most: no machine of today holds more than this.
        public static let maximumEntries = 1 << 32
        /// Bytes of one packed record, by default: a session has a hundred.
        public static let recordBytes = 64 << 10
        /// Bytes of one packed record that `max_record_bytes` may ask for: size classes are numbered in 16 bits.
        public static let recordBytesRange = 64...(512 << 10)
    }

    /// So many that a shard is copied in well under a millisecond when it grows with a million snapshots in the store,
    /// and writer and look-ups seldom meet; so few that the shards' heads (64 bytes each) stay in the nearest cache.
    static let shardCount = 256

    /// The store's name in the file.
    public let name: String
    /// The field whose value is a snapshot's key.
    public let keyField: String
    /// How many snapshots it may hold.
    public let maxEntries: Int
    /// How many bytes a packed record may have.
    public let maxRecordBytes: Int

    /// How new its news is: written by the source that feeds the store.
    public let freshness: Freshness? = Freshness()

    let hasher: KeyHasher
    let shards: ShardArray
    let records: RecordMemory
    /// Held by whoever changes the store, and by look-ups that come to no end without.
    let changes: OrderedMutex<ChangeState>
    /// The number of live snapshots; written by those who hold `changes`.
    let live = Atomic<Int>(0)
    let names = Mutex(FieldNames())
    /// The conditions made so far; held before `changes` by whoever marks records.
    let conditions = Mutex(MarkedConditions())

    /// Makes an empty store for snapshots under the value of `keyField`.
    ///
    /// `maxRecordBytes` is clamped to `Limits.recordBytesRange`.
    public convenience init(
        name: String, keyField: String, maxEntries: Int = Limits.entries, maxRecordBytes: Int = Limits.recordBytes
    ) {
        self.init(
            name: name, keyField: keyField, maxEntries: maxEntries, maxRecordBytes: maxRecordBytes,
            hasher: KeyHasher(), evictions: EvictionMemory.limit, shards: MemoryStore.shardCount)
    }

    /// Makes a small store of few shards that soon forgets evictions, so that what happens at these limits happens soon.
    package convenience init(name: String, keyField: String, evictions: Int, shards: Int) {
        self.init(
            name: name, keyField: keyField, maxEntries: Limits.entries, maxRecordBytes: Limits.recordBytes,
            hasher: KeyHasher(), evictions: evictions, shards: shards)
    }

    /// Makes a store with a hash and limits of the caller's choice.
    init(
        name: String, keyField: String, maxEntries: Int, maxRecordBytes: Int, hasher: KeyHasher, evictions: Int,
        shards: Int, recordMemory: Int = RecordMemory.maximumBytes
    ) {
        let range = Limits.recordBytesRange
        self.name = name
        self.keyField = keyField
        self.maxEntries = maxEntries
        self.maxRecordBytes = Swift.min(Swift.max(maxRecordBytes, range.lowerBound), range.upperBound)
        self.hasher = hasher
        self.shards = ShardArray(count: shards, records: maxEntries.addingReportingOverflow(evictions).partialValue)
        self.records = RecordMemory(bytes: recordMemory)
        self.changes = OrderedMutex(ChangeState(evictions: EvictionMemory(limit: evictions)))
    }

    /// How many snapshots it holds.
    public var count: Int { self.live.load(ordering: .relaxed) }

    /// Bytes of records and of the tables that find them. They are not malloc's; where memory has been given back by
    /// evictions, more than these may be resident.
    public var usedBytes: Int {
        self.changes.withLock { $0.places.usedBytes + self.shards.usedBytes }
    }

    /// Forgets everything, evictions as well, shard by shard; a look-up meanwhile may still find what it asks for.
    public func removeAll() {
        self.changes.withLock { state in
            state.evictions.removeAll()
            for shard in 0..<self.shards.count { self.shards.removeAll(shard) }
            self.records.removeAll(&state.places)
            self.live.store(0, ordering: .relaxed)
        }
    }

    /// Takes out every snapshot that came from an entry before this one; shard by shard, look-ups go on.
    public func removeSnapshots(before entry: EntryID) {
        for shard in 0..<self.shards.count {
            self.changes.withLock { state in
                // No record moves where another is taken out.
                self.shards.table(shard).forEach { slot, index in
                    let record = self.records.record(slot.place)
                    guard !record.isTrace, record.entryID < entry else { return }
                    self.shards.remove(at: index, shard)
                    self.records.giveBack(slot.place, to: &state.places)
                    self.live.wrappingSubtract(1, ordering: .relaxed)
                }
            }
        }
    }

    /// Says which streams feed the store: see `StreamFedStore`.
    public func setStreams(_ names: [String]) {
        let field = self.names.withLock { $0.number(of: FieldNames.stream) }
        self.changes.withLock { $0.streams = names.count > 1 ? FeedingStreams(names: names, field: field) : nil }
    }

    /// Says that the store may have missed entries of a stream up to this one: see `StreamFedStore`.
    public func setHistoryStart(_ entry: EntryID, of stream: Int) {
        self.changes.withLock { $0.historyStarts[stream] = entry }
    }

    /// A writer for events whose key and fields stand in these columns; several may be used at once.
    ///
    /// Beyond `FieldNames.limit` different names in one store, a writer refuses every upsert.
    public func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        let columns = self.names.withLock { names in
            fields.map { RecordColumns.Column(field: $0.field, number: names.number(of: $0.name)) }
        }
        return MemoryStoreWriter(self, RecordColumns(key: key, fields: columns))
    }
}
