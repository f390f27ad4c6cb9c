import StageKit
import Synchronization

/// The state that changes of a store share.
struct ChangeState: Sendable {
    /// The evictions that are remembered.
    var evictions: EvictionMemory
    /// The streams that feed the store, or `nil` if there is only one.
    var streams: FeedingStreams?
    /// The entry of each stream up to which entries may have been missed.
    var historyStarts: [Int: EntryID] = [:]
    /// What is known about snapshots that expire, or `nil` if they never do.
    var expiry: ExpiryState?
    /// The index by the values of fields, or `nil` if there is none.
    var index: StoreIndex?
    /// Whether a change found no memory since the last search for expired snapshots.
    var lacksMemory = false
    /// The conditions that records are marked with.
    var conditions = MarkedConditions()
    /// The memory that records use.
    var allocations = RecordMemory.Allocations()
    /// The memory that the hidden parts of shared records use.
    var hiddenAllocations = RecordMemory.Allocations()
    /// The parts of the record that is being stored, if the store is shared.
    var parts = HiddenMemory.Parts()
    /// Scratch memory for growing a table.
    var scratch: [SlotTable.GrownSlot] = []

    /// Whether everything newer than a replayed event's original has been seen, including evictions.
    func hasSeen(_ event: borrowing Event) -> Bool {
        self.historyStarts[event.streamIndex].map { event.orderID > $0 } ?? true
    }
}

// Changes: one at a time in a store, under `changes`; lookups continue meanwhile, as `ShardArray` describes.
extension MemoryStore {
    /// Stores an event's snapshot: see `SnapshotWriter.upsert`.
    func upsert(
        _ event: borrowing Event, key: Span<UInt8>, _ draft: RecordDraft
    ) throws(StageFailure) -> StoreChange {
        let hash = self.hasher.hash(key)
        let shard = self.shards.index(of: hash)
        return try self.changes.withLock { (state) throws(StageFailure) in
            let found = self.find(hash, key, shard)
            let entry = event.orderID
            var isNew = true
            if let found {
                let held = self.records.record(found.slot.location)
                let heldID = held.entryID
                isNew = held.isTrace
                if let streams = state.streams, streams.isForeign(held, to: event.streamIndex) {
                    throw streams.refusal(of: event.streamIndex, held, store: self.name)
                }
                guard entry > heldID else { return entry == heldID && !isNew ? .repeated : .older }
            } else if !state.evictions.admits(entry, of: event.streamIndex)
                || (event.isReplayed && !state.hasSeen(event))
            {
                return .older
            }
            draft.read(event, key: key, state.conditions, streamField: state.streams?.field)
            try self.checkLimits(recordSize: draft.size, isNew: isNew)
            if self.followsUpserts, self.isEndedByIndex(draft, entry, of: event.streamIndex, found, &state) {
                return .older
            }
            let sizeClass = SizeClass(bytes: draft.size)
            if let hidden = self.hidden {
                try draft.withRecord { (record) throws(StageFailure) in
                    try self.put(divided: record, hidden, hash, shard, instead: found, &state)
                }
            } else if let found, found.isGoodFit(for: sizeClass) {
                self.shards.change(shard) {
                    draft.store(in: self.records.words(of: found.slot.location))
                }
            } else {
                let location = try self.take(sizeClass, &state, newIn: found == nil ? shard : nil)
                draft.store(in: self.records.words(of: location))
                self.put(Slot(hash: hash, location), hash, shard, instead: found, &state)
            }
            if isNew { self.live.wrappingAdd(1, ordering: .relaxed) }
            if self.followsUpserts { self.follow(draft, hash, shard, &state) }
            return .applied
        }
    }

    /// Whether an event is older than one that has ended the snapshots with one of its record's values; if not, records
    /// the indexed values of the record that is about to be replaced. Not part of `upsert`, because most stores have no
    /// index.
    @inline(never)
    private func isEndedByIndex(
        _ draft: RecordDraft, _ entry: EntryID, of stream: Int, _ found: FoundSlot?, _ state: inout ChangeState
    ) -> Bool {
        guard self.index != nil else { return false }
        if self.isEnded(draft, entry, of: stream, &state) { return true }
        self.noteIndexed(found.map { self.records.record($0.slot.location) }, &state)
        return false
    }

    /// Updates what depends on the records, after the record of a draft was stored.
    @inline(never)
    private func follow(_ draft: RecordDraft, _ hash: UInt64, _ shard: Int, _ state: inout ChangeState) {
        draft.withRecord { record in
            self.noteExpiry(of: record, shard, &state)
            if self.index != nil { self.reindex(record, hash, shard, &state) }
        }
    }

    /// Removes the snapshot under an event's key: see `SnapshotWriter.evict`.
    func evict(_ entry: EntryID, of stream: Int, key: Span<UInt8>, _ draft: RecordDraft) -> StoreChange {
        self.changes.withLock { self.evict(entry, of: stream, key: key, draft, &$0) }
    }

    /// Removes the snapshot under an event's key; the caller must hold `changes`.
    ///
    /// If there is no memory for a trace, the trace overwrites the previous record. If there is no record either, the
    /// floor rises: entries up to this one are no longer applied to keys without a record, so that the evicted key
    /// cannot come back.
    func evict(
        _ entry: EntryID, of stream: Int, key: Span<UInt8>, _ draft: RecordDraft, _ state: inout ChangeState
    ) -> StoreChange {
        let hash = self.hasher.hash(key)
        let shard = self.shards.index(of: hash)
        let found = self.find(hash, key, shard)
        var wasLive = false
        if let found {
            let held = self.records.record(found.slot.location)
            let heldID = held.entryID
            wasLive = !held.isTrace
            // A record from another stream is evicted whatever the ids: fail closed.
            if !(state.streams?.isForeign(held, to: stream) ?? false) {
                if entry < heldID { return .older }
                if entry == heldID && !wasLive { return .repeated }
            }
        } else if !state.evictions.admits(entry, of: stream) {
            return .older
        }
        draft.readTrace(of: entry, stream: stream, key: key)
        // A record never has such a long key, so there is nothing that could come back.
        if draft.size > self.maxRecordBytes { return .applied }
        if wasLive, self.index != nil, let found { self.noteIndexed(self.records.record(found.slot.location), &state) }
        let sizeClass = SizeClass(bytes: draft.size)
        if let location = try? self.take(sizeClass, &state, newIn: found == nil ? shard : nil) {
            draft.store(in: self.records.words(of: location))
            self.put(Slot(hash: hash, location), hash, shard, instead: found, &state)
        } else if let found {
            if let hidden = self.hidden {
                hidden.release(self.records.record(found.slot.location), &state.hiddenAllocations)
            }
            self.shards.change(shard) {
                draft.store(in: self.records.words(of: found.slot.location))
            }
        } else {
            state.evictions.raiseFloor(to: entry, of: stream)
            return .applied
        }
        if wasLive {
            self.live.wrappingSubtract(1, ordering: .relaxed)
            if self.index != nil { self.reindex(nil, hash, shard, &state) }
        }
        if let oldest = state.evictions.remember(EvictionMemory.Trace(hash: hash, entryID: entry)) {
            self.forget(oldest, &state)
        }
        return .applied
    }

    /// Starts to fetch the table's line of a hash.
    @inline(__always)
    func fetchLine(_ hash: UInt64) {
        self.shards.table(self.shards.index(of: hash)).fetchLine(hash)
    }

    /// Starts to fetch the record of a hash; the table's line should have arrived by now.
    @inline(__always)
    func fetchRecord(_ hash: UInt64) {
        // Uses the slot that was read: another writer may change the table meanwhile.
        _ = self.shards.table(self.shards.index(of: hash)).find(hash) {
            self.records.fetch($0.location)
            return true
        }
    }

    /// Finds the record of a key; the caller must hold `changes`.
    @inline(__always)
    func find(_ hash: UInt64, _ key: Span<UInt8>, _ shard: Int) -> FoundSlot? {
        let table = self.shards.table(shard)
        let index = table.find(hash) { slot in
            self.records.fetch(self.records.lines(of: slot.location))
            return self.records.record(slot.location).hasKey(key)
        }
        return index.map { FoundSlot(index: $0, slot: table.slot(at: $0)) }
    }

    /// Allocates memory for a record, and reserves room in the table if the key is new to a shard.
    ///
    /// - Throws: An error if there is no memory; nothing has changed then.
    @inline(__always)
    func take(
        _ sizeClass: SizeClass, _ state: inout ChangeState, newIn shard: Int?
    ) throws(StageFailure) -> RecordLocation {
        if let shard, !self.shards.reserve(shard, &state.scratch) { throw self.outOfMemory(&state) }
        guard let location = self.records.take(sizeClass, from: &state.allocations) else {
            throw self.outOfMemory(&state)
        }
        return location
    }

    /// Puts a record into the slot of the key's previous record, whose memory is freed, or into a new slot.
    @inline(__always)
    func put(
        _ slot: Slot, _ hash: UInt64, _ shard: Int, instead found: FoundSlot?, _ state: inout ChangeState
    ) {
        if let found {
            self.shards.replace(at: found.index, with: slot, shard)
            self.giveBack(found.slot.location, &state)
        } else {
            self.shards.insert(slot, hash: hash, shard)
        }
    }

    /// Checks the size of a record, and the number of snapshots if the key is new.
    func checkLimits(recordSize: Int, isNew: Bool) throws(StageFailure) {
        if recordSize > self.maxRecordBytes {
            throw StageFailure(
                "store \"\(self.name)\" refuses a record of \(recordSize) bytes: max_record_bytes is "
                    + "\(self.maxRecordBytes)")
        }
        if isNew && self.count >= self.maxEntries {
            throw StageFailure("store \"\(self.name)\" is full: max_entries is \(self.maxEntries)")
        }
    }

    /// Records that there is no memory for another record; returns the error.
    @inline(never)
    func outOfMemory(_ state: inout ChangeState) -> StageFailure {
        state.lacksMemory = true
        if let share = self.share {
            return StageFailure(
                "store \"\(self.name)\" is full: the file system of \(share.settings.path) has no space left, or the "
                    + "store has reached its limit (\(self.count) snapshots)")
        }
        return StageFailure(
            "store \"\(self.name)\" is full: it holds \(self.count) snapshots and has reached the limit of "
                + "\(self.records.limit >> 20) MiB for records")
    }

    /// Removes a trace from its table, unless it is obsolete; the floor rises first.
    func forget(_ trace: EvictionMemory.Trace, _ state: inout ChangeState) {
        let shard = self.shards.index(of: trace.hash)
        let table = self.shards.table(shard)
        let index = table.find(trace.hash) { slot in
            let record = self.records.record(slot.location)
            return record.isTrace && record.entryID == trace.entryID
        }
        guard let index else { return }
        let location = table.slot(at: index).location
        state.evictions.raiseFloor(to: trace.entryID, of: Int(self.records.record(location).marks))
        self.shards.remove(at: index, shard)
        self.records.giveBack(location, to: &state.allocations)
    }
}

/// A key's slot and its index.
struct FoundSlot {
    /// The index in the table.
    let index: Int
    /// The slot's content.
    let slot: Slot

    /// Whether a record of another size class may use the memory: it fits, and needs at least half of it.
    @inline(__always)
    func isGoodFit(for sizeClass: SizeClass) -> Bool {
        let (held, wanted) = (self.slot.location.sizeClass.units, sizeClass.units)
        return wanted <= held && wanted >= held / 2
    }
}
