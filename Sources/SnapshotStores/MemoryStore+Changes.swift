import StageKit
import Synchronization

/// What the changes of a store keep between them.
struct ChangeState: Sendable {
    /// What is remembered of evictions.
    var evictions: EvictionMemory
    /// The streams that feed the store; nil if there is one.
    var streams: FeedingStreams?
    /// Up to where entries of each stream may have been missed.
    var historyStarts: [Int: EntryID] = [:]
    /// What records are marked with.
    var conditions = MarkedConditions()
    /// Which memory has records.
    var places = RecordMemory.Places()
    /// Used while a table grows.
    var scratch: [SlotTable.GrownSlot] = []

    /// Whether everything newer than a replayed event's original has been seen, evictions included.
    func hasSeen(_ event: borrowing Event) -> Bool {
        self.historyStarts[event.streamIndex].map { event.orderID > $0 } ?? true
    }
}

// Changes: one at a time in a store, under `changes`; look-ups go on meanwhile, as `ShardArray` describes.
extension MemoryStore {
    /// Holds an event's snapshot: see `SnapshotWriter.upsert`.
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
                let held = self.records.record(found.slot.place)
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
            let sizeClass = SizeClass(bytes: draft.size)
            if let found, found.isGoodFit(for: sizeClass) {
                self.shards.change(shard) {
                    draft.store(in: self.records.words(of: found.slot.place))
                }
            } else {
                let place = try self.take(sizeClass, &state, newIn: found == nil ? shard : nil)
                draft.store(in: self.records.words(of: place))
                self.put(Slot(hash: hash, place), hash, shard, instead: found, &state)
            }
            if isNew { self.live.wrappingAdd(1, ordering: .relaxed) }
            return .applied
        }
    }

    /// Takes out what is held under an event's key: see `SnapshotWriter.evict`.
    ///
    /// Where there is no memory for a trace, it takes the place of what was held; where nothing was held, no entry as old
    /// as this one is applied to any key that is not held: rather that than a key that comes back.
    func evict(_ entry: EntryID, of stream: Int, key: Span<UInt8>, _ draft: RecordDraft) -> StoreChange {
        let hash = self.hasher.hash(key)
        let shard = self.shards.index(of: hash)
        return self.changes.withLock { state in
            let found = self.find(hash, key, shard)
            var wasLive = false
            if let found {
                let held = self.records.record(found.slot.place)
                let heldID = held.entryID
                wasLive = !held.isTrace
                // What another stream holds goes whatever the ids: fail closed.
                if !(state.streams?.isForeign(held, to: stream) ?? false) {
                    if entry < heldID { return .older }
                    if entry == heldID && !wasLive { return .repeated }
                }
            } else if !state.evictions.admits(entry, of: stream) {
                return .older
            }
            draft.readTrace(of: entry, stream: stream, key: key)
            // No record has so long a key: there is nothing that could come back.
            if draft.size > self.maxRecordBytes { return .applied }
            let sizeClass = SizeClass(bytes: draft.size)
            if let place = try? self.take(sizeClass, &state, newIn: found == nil ? shard : nil) {
                draft.store(in: self.records.words(of: place))
                self.put(Slot(hash: hash, place), hash, shard, instead: found, &state)
            } else if let found {
                self.shards.change(shard) {
                    draft.store(in: self.records.words(of: found.slot.place))
                }
            } else {
                state.evictions.raiseFloor(to: entry, of: stream)
                return .applied
            }
            if wasLive { self.live.wrappingSubtract(1, ordering: .relaxed) }
            if let oldest = state.evictions.remember(EvictionMemory.Trace(hash: hash, entryID: entry)) {
                self.forget(oldest, &state)
            }
            return .applied
        }
    }

    /// Has the table's line of a hash fetched.
    @inline(__always)
    func fetchLine(_ hash: UInt64) {
        self.shards.table(self.shards.index(of: hash)).fetchLine(hash)
    }

    /// Has the record of a hash fetched; its table's line should be there by now.
    @inline(__always)
    func fetchRecord(_ hash: UInt64) {
        // The slot as it was looked at: another writer may change the table meanwhile.
        _ = self.shards.table(self.shards.index(of: hash)).find(hash) {
            self.records.fetch($0.place)
            return true
        }
    }

    /// Where a key's record is; for those who hold `changes`.
    @inline(__always)
    func find(_ hash: UInt64, _ key: Span<UInt8>, _ shard: Int) -> FoundSlot? {
        let table = self.shards.table(shard)
        let index = table.find(hash) { slot in
            self.records.fetch(self.records.lines(of: slot.place))
            return self.records.record(slot.place).hasKey(key)
        }
        return index.map { FoundSlot(index: $0, slot: table.slot(at: $0)) }
    }

    /// Memory for a record, and where the key is new to a shard, room in its table; throws where there is none, and has
    /// changed nothing then.
    @inline(__always)
    func take(
        _ sizeClass: SizeClass, _ state: inout ChangeState, newIn shard: Int?
    ) throws(StageFailure) -> RecordPlace {
        if let shard, !self.shards.reserve(shard, &state.scratch) { throw self.outOfMemory }
        guard let place = self.records.take(sizeClass, from: &state.places) else { throw self.outOfMemory }
        return place
    }

    /// Puts a record into the slot of what was found under its key, whose place is given back, or into a new one.
    @inline(__always)
    func put(
        _ slot: Slot, _ hash: UInt64, _ shard: Int, instead found: FoundSlot?, _ state: inout ChangeState
    ) {
        if let found {
            self.shards.replace(at: found.index, with: slot, shard)
            self.records.giveBack(found.slot.place, to: &state.places)
        } else {
            self.shards.insert(slot, hash: hash, shard)
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

    private var outOfMemory: StageFailure {
        StageFailure(
            "store \"\(self.name)\" is full: there is no more memory for it beside \(self.count) snapshots, of at most "
                + "\(self.records.limit >> 20) MiB that their records may take")
    }

    /// Takes a trace out of its table, unless it is stale; the floor rises first.
    private func forget(_ trace: EvictionMemory.Trace, _ state: inout ChangeState) {
        let shard = self.shards.index(of: trace.hash)
        let table = self.shards.table(shard)
        let index = table.find(trace.hash) { slot in
            let record = self.records.record(slot.place)
            return record.isTrace && record.entryID == trace.entryID
        }
        guard let index else { return }
        let place = table.slot(at: index).place
        state.evictions.raiseFloor(to: trace.entryID, of: Int(self.records.record(place).marks))
        self.shards.remove(at: index, shard)
        self.records.giveBack(place, to: &state.places)
    }
}

/// A key's slot and where it is.
struct FoundSlot {
    /// The index in the table.
    let index: Int
    /// What stands there.
    let slot: Slot

    /// Whether a record of another size class may use the memory: it fits, and at least half of it is needed.
    @inline(__always)
    func isGoodFit(for sizeClass: SizeClass) -> Bool {
        let (held, wanted) = (self.slot.place.sizeClass.units, sizeClass.units)
        return wanted <= held && wanted >= held / 2
    }
}
