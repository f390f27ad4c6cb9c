import StageKit
import Synchronization

// Changes: one at a time in a store, under `changes`; only what look-ups could see is done under a shard's lock.
extension MemoryStore {
    /// Holds an event's snapshot: see `SnapshotWriter.upsert`.
    func upsert(
        _ event: borrowing Event, key: Span<UInt8>, _ draft: RecordDraft
    ) throws(StageFailure) -> StoreChange {
        let hash = self.hasher.hash(key)
        let shard = self.shards.index(of: hash)
        return try self.changes.withLock { (evictions) throws(StageFailure) in
            let found = self.shards.readChanging(shard) { FoundSlot(in: $0, hash, key) }
            let entry = event.id
            var isNew = true
            if let held = found?.slot.record {
                let heldID = held.entryID
                isNew = held.isTrace
                guard entry > heldID else { return entry == heldID && !isNew ? .repeated : .older }
            } else if !evictions.admits(entry) {
                return .older
            }
            draft.read(event, keyLength: key.count)
            try self.checkLimits(recordSize: draft.size, isNew: isNew)
            let units = PackedRecord.units(for: draft.size)
            if let found, let record = found.slot.record, found.isGoodFit(for: units) {
                self.shards.change(shard) { _ in
                    draft.write(event, key: key, to: record.cursor(units: found.slot.units))
                }
            } else {
                let record = PackedRecord(units: units)
                draft.write(event, key: key, to: record.cursor(units: units))
                self.put(Slot(hash: hash, units: units, record: record), found?.index, shard)
            }
            if isNew { self.live.wrappingAdd(1, ordering: .relaxed) }
            return .applied
        }
    }

    /// Takes out what is held under an event's key: see `SnapshotWriter.evict`.
    func evict(_ entry: EntryID, key: Span<UInt8>) -> StoreChange {
        let hash = self.hasher.hash(key)
        let shard = self.shards.index(of: hash)
        return self.changes.withLock { evictions in
            let found = self.shards.readChanging(shard) { FoundSlot(in: $0, hash, key) }
            var wasLive = false
            if let held = found?.slot.record {
                let heldID = held.entryID
                wasLive = !held.isTrace
                if entry < heldID { return .older }
                if entry == heldID && !wasLive { return .repeated }
            } else if !evictions.admits(entry) {
                return .older
            }
            let units = PackedRecord.units(for: RecordColumns.traceSize(keyLength: key.count))
            let record = PackedRecord(units: units)
            RecordColumns.writeTrace(of: entry, key: key, to: record.cursor(units: units))
            self.put(Slot(hash: hash, units: units, record: record), found?.index, shard)
            if wasLive { self.live.wrappingSubtract(1, ordering: .relaxed) }
            if let oldest = evictions.remember(EvictionMemory.Trace(hash: hash, entryID: entry)) {
                self.forget(oldest, &evictions)
            }
            return .applied
        }
    }

    /// Fetches slots and then records of the hashes, each time one independent of the other, so that the processor waits
    /// for all of them at once rather than for each in turn.
    func fetch(_ hashes: Span<UInt64>) {
        self.changes.withLock { _ in
            for index in hashes.indices {
                let hash = hashes[index]
                self.shards.readChanging(self.shards.index(of: hash)) { $0.fetchSlot(hash) }
            }
            for index in hashes.indices {
                let hash = hashes[index]
                self.shards.readChanging(self.shards.index(of: hash)) { $0.fetchRecord(hash) }
            }
        }
    }

    private func checkLimits(recordSize: Int, isNew: Bool) throws(StageFailure) {
        if recordSize > self.maxRecordBytes {
            throw StageFailure(
                "store \"\(self.name)\" refuses a record of \(recordSize) bytes: max_record_bytes is "
                    + "\(self.maxRecordBytes)")
        }
        if isNew && self.count >= self.maxEntries {
            throw StageFailure("store \"\(self.name)\" is full: it holds max_entries \(self.maxEntries) snapshots")
        }
    }

    /// Puts a record into the key's slot, or into a new one, and frees what was there.
    private func put(_ slot: Slot, _ index: Int?, _ shard: Int) {
        var old: PackedRecord?
        self.shards.change(shard) { table in
            if let index { old = table.replace(at: index, with: slot) } else { table.insert(slot) }
        }
        old?.free()
    }

    /// Takes a trace out of its table, unless it is stale; the floor rises first.
    private func forget(_ trace: EvictionMemory.Trace, _ evictions: inout EvictionMemory) {
        let shard = self.shards.index(of: trace.hash)
        let index = self.shards.readChanging(shard) { table in
            table.find(trace.hash) { $0.isTrace && $0.entryID == trace.entryID }
        }
        guard let index else { return }
        evictions.raiseFloor(to: trace.entryID)
        var old: PackedRecord?
        self.shards.change(shard) { old = $0.remove(at: index) }
        old?.free()
    }
}

/// A key's slot and where it is.
private struct FoundSlot {
    let index: Int
    let slot: Slot

    @inline(__always)
    init?(in table: borrowing SlotTable, _ hash: UInt64, _ key: Span<UInt8>) {
        guard let index = table.find(hash, key) else { return nil }
        self.index = index
        self.slot = table.slot(at: index)
    }

    /// Whether a record of another size class may use the memory: it fits, and at least half of it is needed.
    func isGoodFit(for units: UInt16) -> Bool {
        units <= self.slot.units && units >= self.slot.units / 2
    }
}
