public import StageKit
import Synchronization

// The index by the values of other fields. It is changed under `changes`, with the records themselves.
extension MemoryStore: IndexedStore {
    /// The number of keys that are processed while changes wait: some tens of microseconds.
    static let indexedAtOnce = 64

    /// This store, or `nil` if it has no index.
    public var indexed: (any IndexedStore)? { self.index == nil ? nil : self }

    /// The indexed fields, in the order of the file.
    public var indexedFields: [LocatedName] { self.index?.names ?? [] }

    /// The fields of the index, and those that stages compare in order to end snapshots; errors in the file if no stage
    /// keeps them.
    package var fieldsOfIndex: (indexed: [LocatedName], compared: [LocatedName]) {
        (self.indexedFields, self.index?.use.withLock { $0.compared } ?? [])
    }

    /// Whether a stage ends snapshots by an indexed field.
    package var isEndedByIndex: Bool { self.index?.use.withLock { $0.hasEnders } ?? false }

    /// Returns the snapshots with a value in an indexed field, without those that have expired: see `IndexedStore`.
    ///
    /// Changes wait while some records are copied; lookups of single keys do not wait.
    public func snapshots(
        by field: String, equal value: Span<UInt8>, limit: IndexLimit
    ) -> IndexedSnapshots? {
        guard let index = self.index, let position = index.names.firstIndex(where: { $0.text == field }) else {
            return nil
        }
        let hash = self.hasher.hash(value)
        let found = self.changes.withLock {
            $0.index?.values[position].keys(under: hash, limit: limit.count) ?? (hashes: [], total: 0)
        }
        let names = self.names.withLock { $0.names }
        var snapshots: [Snapshot] = []
        var isTruncated = found.total > found.hashes.count
        var bytes = 0
        for start in stride(from: 0, to: found.hashes.count, by: Self.indexedAtOnce) {
            if bytes >= limit.bytes {
                isTruncated = true
                break
            }
            var clones: [RecordClone] = []
            self.changes.withLock { _ in
                for key in found.hashes[start..<Swift.min(start + Self.indexedAtOnce, found.hashes.count)] {
                    self.forEachRecord(key, index.numbers[position], equal: value) { record in
                        if self.expiry?.isExpired(record) != true { clones.append(RecordClone(record)) }
                    }
                }
            }
            for clone in clones {
                clone.withRecord { record in
                    bytes += record.size
                    snapshots.append(SnapshotView(record, keyLength: record.keyRange.count).copy(names: names))
                }
            }
        }
        // Keys of one hash can be more than the hashes.
        if snapshots.count > limit.count { isTruncated = true }
        snapshots.sort { $0.key.lexicographicallyPrecedes($1.key) }
        return IndexedSnapshots(Array(snapshots.prefix(limit.count)), isTruncated: isTruncated)
    }

    /// Creates an ender: see `IndexedStore`.
    public func makeEnder(by field: String, issuedAt: LocatedName?) -> (any SnapshotEnder)? {
        guard let index = self.index, let position = index.names.firstIndex(where: { $0.text == field }) else {
            return nil
        }
        index.use.withLock { use in
            use.hasEnders = true
            if let issuedAt { use.compared.append(issuedAt) }
        }
        let number = self.changes.withLock { $0.index?.addEnder() ?? 0 }
        return MemoryStoreEnder(
            self, EndedField(position: position, number: index.numbers[position]),
            issuedAt: issuedAt.map { name in self.names.withLock { $0.number(of: name.text) } }, ender: number)
    }

    // MARK: Changes, for those who hold `changes`

    /// Records the indexed values of a record that is about to be replaced or removed; `nil` if there is none.
    @inline(never)
    func noteIndexed(_ held: PackedRecord?, _ state: inout ChangeState) {
        guard let index = self.index else { return }
        guard let held, !held.isTrace else {
            for position in index.numbers.indices { state.index?.before[position] = nil }
            return
        }
        self.withComplete(held) { record in
            for (position, number) in index.numbers.enumerated() {
                state.index?.before[position] = self.hash(ofField: number, in: record)
            }
        }
    }

    /// Puts a key under the values of its new record, `nil` if it has none any more, and removes it from those that
    /// `noteIndexed` has recorded.
    @inline(never)
    func reindex(_ new: PackedRecord?, _ key: UInt64, _ shard: Int, _ state: inout ChangeState) {
        guard let index = self.index else { return }
        for (position, number) in index.numbers.enumerated() {
            let old = state.index?.before[position]
            let value = new.flatMap { self.hash(ofField: number, in: $0) }
            if old == value { continue }
            if let old, !self.hasRecord(key, number, value: old, shard) {
                state.index?.values[position].remove(key, under: old)
            }
            if let value { state.index?.values[position].insert(key, under: value) }
        }
    }

    /// Whether an event is older than one that has ended the snapshots with one of its record's values.
    @inline(never)
    func isEnded(_ draft: RecordDraft, _ entry: EntryID, of stream: Int, _ state: inout ChangeState) -> Bool {
        guard let index = self.index, state.index?.ended.mayCover(entry, of: stream) == true,
            let ended = state.index?.ended
        else { return false }
        return draft.withRecord { record in
            index.numbers.enumerated().contains { position, number in
                guard let value = self.hash(ofField: number, in: record) else { return false }
                return ended.covers(entry, of: stream, value: value, field: position)
            }
        }
    }

    /// Calls `body` with each live record of a key's hash that has a value in a field, complete.
    func forEachRecord(
        _ key: UInt64, _ number: UInt8, equal value: Span<UInt8>, _ body: (PackedRecord) -> Void
    ) {
        _ = self.shards.table(self.shards.index(of: key)).find(key) { slot in
            let held = self.records.record(slot.location)
            guard !held.isTrace, self.hash(ofKey: held) == key else { return false }
            self.withComplete(held) { record in
                let view = SnapshotView(record, keyLength: record.keyRange.count)
                if view.value(of: SnapshotField(number: number), equals: value) { body(record) }
            }
            // On to the next record: several keys can have one hash.
            return false
        }
    }

    /// The hash of a record's key.
    func hash(ofKey record: PackedRecord) -> UInt64 {
        self.hasher.hash(unsafe record.unsafeBytes(record.keyRange).span)
    }

    /// Whether a live record of a key's hash has this hash of its value in a field.
    private func hasRecord(_ key: UInt64, _ number: UInt8, value: UInt64, _ shard: Int) -> Bool {
        let found = self.shards.table(shard).find(key) { slot in
            let held = self.records.record(slot.location)
            guard !held.isTrace, self.hash(ofKey: held) == key else { return false }
            return self.withComplete(held) { self.hash(ofField: number, in: $0) == value }
        }
        return found != nil
    }

    /// Calls `body` with a record and its hidden part.
    private func withComplete<R>(_ record: PackedRecord, _ body: (PackedRecord) -> R) -> R {
        if let complete = self.hidden?.join(record) { return complete.withRecord(body) }
        return body(record)
    }

    /// The hash of a complete record's value in a field, or `nil` if it has none.
    private func hash(ofField number: UInt8, in record: PackedRecord) -> UInt64? {
        var walk = record.fields
        guard let field = walk.first(number) else { return nil }
        if let range = field.range { return self.hasher.hash(unsafe record.unsafeBytes(range).span) }
        return self.hasher.hash(String(field.integer ?? 0).utf8.span)
    }
}
