public import StageKit
import Synchronization

// Look-ups: from any thread, each under the lock of one shard.
extension MemoryStore {
    /// The field of a name, for look-ups in place; snapshots that have it may come later.
    public func field(_ name: String) -> SnapshotField {
        SnapshotField(number: self.names.withLock { $0.number(of: name) })
    }

    /// The question whether a field of a snapshot has exactly this value, to be asked with `check`.
    public func condition(_ field: String, equals value: String) -> SnapshotCondition {
        SnapshotCondition(field: self.field(field), expected: Array(value.utf8))
    }

    /// Whether the snapshot under a key meets a condition, nil where there is no snapshot.
    ///
    /// ```swift
    /// let isActive = store.condition("status", equals: "active")  // once
    /// if store.check("ds-1", isActive) == true { ... }            // millions of times a second
    /// ```
    public func check(_ key: Span<UInt8>, _ condition: SnapshotCondition) -> Bool? {
        var answer: Bool?
        self.withRecord(key) { record in
            answer = SnapshotView(record, keyLength: key.count).value(
                of: condition.field, equals: condition.expected.span)
        }
        return answer
    }

    /// Whether the snapshot under a key given as text meets a condition, nil where there is no snapshot.
    public func check(_ key: String, _ condition: SnapshotCondition) -> Bool? {
        self.check(key.utf8.span, condition)
    }

    /// Calls `body` with the snapshot under a key, in place; nil where there is none.
    ///
    /// The shard's lock is held meanwhile: `body` must be short, must not wait and must not use the store.
    public func withSnapshot<R, E: Error>(
        for key: Span<UInt8>, _ body: (borrowing SnapshotView) throws(E) -> R
    ) throws(E) -> R? {
        var result: R?
        try self.withRecord(key) { (record) throws(E) in result = try body(SnapshotView(record, keyLength: key.count)) }
        return result
    }

    /// The snapshot under a key, a copy that stays as it is.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? {
        var clone: PackedRecord?
        self.withRecord(key) { clone = $0.clone() }
        guard let clone else { return nil }
        defer { clone.free() }
        return SnapshotView(clone, keyLength: clone.keyRange.count).copy(names: self.names.withLock { $0.names })
    }

    /// Calls `body` with every snapshot, in no order; shard by shard, the records are copied under the shard's lock.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
        for index in 0..<self.shards.count {
            var clones: [PackedRecord] = []
            self.shards.read(index) { table in
                for slot in 0..<table.capacity {
                    if let record = table.slot(at: slot).record, !record.isTrace { clones.append(record.clone()) }
                }
            }
            defer { for clone in clones { clone.free() } }
            let names = self.names.withLock { $0.names }
            for clone in clones { try body(SnapshotView(clone, keyLength: clone.keyRange.count).copy(names: names)) }
        }
    }

    /// Lends a key's live record under its shard's lock.
    @inline(__always)
    private func withRecord<E: Error>(
        _ key: Span<UInt8>, _ body: (PackedRecord) throws(E) -> Void
    ) throws(E) {
        let hash = self.hasher.hash(key)
        try self.shards.read(self.shards.index(of: hash)) { (table) throws(E) in
            guard let index = table.find(hash, key), let record = table.slot(at: index).record, !record.isTrace
            else { return }
            try body(record)
        }
    }
}
