public import ComponentKit
public import Logging
public import StageKit
import Synchronization

/// Snapshots in this process's memory, designed for many lookups per second next to one stream of changes.
///
/// Keys are distributed over shards, each a hash table of packed records under a lock of its own that is held for well
/// under a microsecond. Lookups in place (`check`, `withSnapshot`) allocate nothing, and neither do changes of existing
/// keys if the new record fits the old one's memory. Memory for slots and evicted keys is kept for future keys and
/// freed by `removeAll`.
public final class MemoryStore: SweepingStore, StreamFedStore, ConditionalStore, PublishedSnapshotStore, ExpiringStore {
    /// The limits of a memory store.
    public enum Limits {
        /// The default maximum number of snapshots: some 1.4 GB of sessions.
        public static let entries = 10_000_000
        /// The largest possible maximum number of snapshots: more than any machine of today can hold.
        public static let maximumEntries = 1 << 32
        /// The default maximum size of a packed record in bytes: a session has a hundred.
        public static let recordBytes = 64 << 10
        /// The range of `max_record_bytes`, the maximum size of a packed record: size classes are numbered in 16 bits.
        public static let recordBytesRange = 64...(512 << 10)
    }

    /// Enough shards that one is copied in well under a millisecond when it grows with a million snapshots in the
    /// store, and that the writer and lookups seldom meet; few enough that the shards' heads (64 bytes each) stay in
    /// the nearest cache.
    static let shardCount = 256

    /// The store's name in the file.
    public let name: String
    /// The field whose value is a snapshot's key.
    public let keyField: String
    /// The maximum number of snapshots.
    public let maxEntries: Int
    /// The maximum size of a packed record in bytes.
    public let maxRecordBytes: Int

    /// The freshness of the store, updated by the source that feeds it.
    public let freshness: Freshness?

    let hasher: KeyHasher
    let shards: ShardArray
    let records: RecordMemory
    /// Held for changes of the store, and for lookups that cannot finish without it.
    let changes: OrderedMutex<ChangeState>
    /// The number of live snapshots; written by those who hold `changes`.
    let live = Atomic<Int>(0)
    let names = Mutex(FieldNames())
    /// The conditions that records are marked with; locked before `changes` when records are marked.
    let marked = Mutex(MarkedConditions())
    /// The named conditions of the store's settings.
    public let conditions: [NamedSetting<ConditionSettings>]
    /// The names of fields that writers keep.
    private let kept = Mutex<Set<String>>([])
    /// The expiry of the snapshots, or `nil` if they never expire.
    let expiry: StoreExpiry?
    /// The fields by whose values snapshots are found, or `nil` if there are none.
    let index: IndexedFields?
    /// Whether something besides the records themselves has to be updated when a snapshot is stored.
    let followsUpserts: Bool
    /// The shared form of the store, or `nil` if it is private.
    let share: StoreShare?
    /// The memory of the fields that are not shared, or `nil` if the store is private.
    let hidden: HiddenMemory?
    /// Notifies observers of changes, or `nil` if the store has none.
    let feed: SnapshotFeed?

    /// Creates an empty store for snapshots under the value of `keyField`.
    ///
    /// `maxRecordBytes` is clamped to `Limits.recordBytesRange`. With `share`, other processes can read the store from
    /// `open` to `shutDown`; they can read the field of `expiry`, too. With `isObserved`, writers report changes to
    /// observers (`observe`). `index` are the fields by whose values snapshots are found (`IndexedStore`). Expired
    /// snapshots take memory until `removeExpired` is called, which a pipeline does.
    public convenience init(
        name: String, keyField: String, maxEntries: Int = Limits.entries, maxRecordBytes: Int = Limits.recordBytes,
        conditions: [NamedSetting<ConditionSettings>] = [], expiry: ExpirySettings = ExpirySettings(),
        clock: WallClock = .system, index: [LocatedName] = [], share: ShareSettings? = nil, isObserved: Bool = false,
        logger: Logger? = nil
    ) {
        self.init(
            name: name, keyField: keyField, maxEntries: maxEntries, maxRecordBytes: maxRecordBytes,
            conditions: conditions, expiry: expiry, clock: ExpiryClock(clock), index: index, hasher: KeyHasher(),
            evictions: EvictionMemory.limit, shards: MemoryStore.shardCount,
            share: share.map { StoreShare($0.including(expiry.field?.text), logger: logger) }, isObserved: isObserved)
    }

    /// Creates a small store with few shards that soon forgets evictions, so that tests reach these limits quickly.
    package convenience init(name: String, keyField: String, evictions: Int, shards: Int) {
        self.init(
            name: name, keyField: keyField, maxEntries: Limits.entries, maxRecordBytes: Limits.recordBytes,
            hasher: KeyHasher(), evictions: evictions, shards: shards)
    }

    /// Creates a store with a hash and limits of the caller's choice.
    init(
        name: String, keyField: String, maxEntries: Int, maxRecordBytes: Int,
        conditions: [NamedSetting<ConditionSettings>] = [], expiry: ExpirySettings = ExpirySettings(),
        clock: ExpiryClock? = nil, unannounced: Int = ExpiryState.unannouncedLimit, index: [LocatedName] = [],
        hasher: KeyHasher, evictions: Int, shards: Int, recordMemory: Int = RecordMemory.maximumBytes,
        share: StoreShare? = nil, isObserved: Bool = false
    ) {
        let records = maxEntries.addingReportingOverflow(evictions).partialValue
        let range = Limits.recordBytesRange
        self.name = name
        self.keyField = keyField
        self.maxEntries = maxEntries
        self.maxRecordBytes = Swift.min(Swift.max(maxRecordBytes, range.lowerBound), range.upperBound)
        self.conditions = conditions
        self.hasher = hasher
        self.share = share
        let feed = isObserved ? SnapshotFeed(before: share) : nil
        self.feed = feed
        self.freshness = Freshness(mirror: feed ?? share)
        self.hidden = share.map { HiddenMemory(bytes: recordMemory, shared: $0.settings.fields.count) }
        if let share {
            self.shards = ShardArray(count: shards, records: records, commitStep: SystemPage.size)
            for field in share.settings.fields { _ = self.names.withLock { $0.number(of: field) } }
        } else {
            self.shards = ShardArray(count: shards, records: records)
        }
        // After the shared fields, which have the first numbers.
        self.expiry =
            expiry.isNever
            ? nil
            : self.names.withLock { StoreExpiry(expiry, clock: clock ?? ExpiryClock(.system), names: &$0) }
        self.index = index.isEmpty ? nil : self.names.withLock { IndexedFields(index, names: &$0) }
        self.followsUpserts = self.expiry != nil || self.index != nil
        self.records = RecordMemory(bytes: recordMemory, published: share?.committed)
        var state = ChangeState(evictions: EvictionMemory(limit: evictions))
        if self.expiry != nil { state.expiry = ExpiryState(shards: shards, limit: unannounced) }
        if !index.isEmpty { state.index = StoreIndex(fields: index.count) }
        self.changes = OrderedMutex(state)
    }

    /// The number of snapshots, with those that have expired and were not removed yet.
    public var count: Int { self.live.load(ordering: .relaxed) }

    /// Bytes of records and of the tables that find them, and the approximate bytes of an index. Those of the index
    /// alone are allocated by malloc. After evictions have freed memory, more than these may be resident.
    public var usedBytes: Int {
        self.changes.withLock {
            $0.allocations.usedBytes + $0.hiddenAllocations.usedBytes + self.shards.usedBytes
                + ($0.index?.usedBytes ?? 0)
        }
    }

    /// Removes everything, including the memory of evictions, shard by shard; a concurrent lookup may still find its
    /// key.
    public func removeAll() {
        self.changes.withLock { state in
            state.evictions.removeAll()
            state.expiry?.removedAll()
            state.index?.removeAll()
            for shard in 0..<self.shards.count { self.shards.removeAll(shard) }
            self.records.removeAll(&state.allocations)
            self.hidden?.memory.removeAll(&state.hiddenAllocations)
            self.live.store(0, ordering: .relaxed)
        }
        self.feed?.reset()
    }

    /// Removes every snapshot that came from an entry before this one, shard by shard; lookups continue meanwhile.
    public func removeSnapshots(before entry: EntryID) {
        for shard in 0..<self.shards.count {
            self.changes.withLock { state in
                // Removing a record does not move others.
                self.shards.table(shard).forEach { slot, index in
                    let record = self.records.record(slot.location)
                    guard !record.isTrace, record.entryID < entry else { return }
                    let key = self.index.map { _ in self.hash(ofKey: record) }
                    if key != nil { self.noteIndexed(record, &state) }
                    self.shards.remove(at: index, shard)
                    self.giveBack(slot.location, &state)
                    if let key { self.reindex(nil, key, shard, &state) }
                    self.live.wrappingSubtract(1, ordering: .relaxed)
                }
            }
        }
        self.feed?.reset()
    }

    /// `.checkpoint`: a checkpoint saves the snapshots.
    public var retention: StoreRetention { .checkpoint }

    /// Sets the streams that feed the store: see `StreamFedStore`.
    public func setStreams(_ names: [String]) {
        let field = self.names.withLock { $0.number(of: FieldNames.stream) }
        self.changes.withLock { $0.streams = names.count > 1 ? FeedingStreams(names: names, field: field) : nil }
    }

    /// Sets the entry of a stream up to which the store may have missed entries: see `StreamFedStore`.
    public func setHistoryStart(_ entry: EntryID, of stream: Int) {
        self.changes.withLock { $0.historyStarts[stream] = entry }
    }

    /// The names of the fields that writers keep, sorted.
    public var keptFields: [String] { self.kept.withLock { $0.sorted() } }

    /// Forgets the names of kept fields: the stages of another graph may keep others.
    public func prepareForGraph() {
        self.kept.withLock { $0.removeAll() }
        self.index?.use.withLock { $0 = IndexedFields.Use() }
    }

    /// Creates a writer for events whose key and fields are in these columns; several may be used at the same time.
    ///
    /// If one store has more than `FieldNames.limit` different names, the writer refuses every upsert.
    public func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        self.kept.withLock { $0.formUnion(fields.map(\.name)) }
        let columns = self.names.withLock { names in
            fields.map { RecordColumns.Column(field: $0.field, number: names.number(of: $0.name)) }
        }
        let writer = MemoryStoreWriter(self, RecordColumns(key: key, fields: columns))
        // A store without observers pays nothing for them, not even a check per event.
        guard let feed else { return writer }
        return ObservedWriter(writer, feed, key: key)
    }
}
