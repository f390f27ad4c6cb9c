import ComponentKit
import StageKit
import Synchronization

// Moves a memory store's records into a checkpoint and out of it.
extension MemoryStore {
    /// The names of the fields by number.
    package var fieldNames: [String] { self.names.withLock { $0.names } }

    /// The number of shards.
    package var shardTotal: Int { self.shards.count }

    /// Appends a shard's current live records, and those that were ended by an event that is not known to be finished, so
    /// that the event ends them again after a restart.
    ///
    /// Each record is preceded by its number of bytes and without its marks, which the loading store computes again.
    /// Returns the number of records.
    ///
    /// Changes of the store wait meanwhile, lookups do not. Field numbers from `names` on must not occur.
    package func appendRecords(ofShard shard: Int, to bytes: inout [UInt8], names: Int) -> Int {
        var appended: [UInt8] = []
        swap(&appended, &bytes)
        var count = 0
        self.changes.withLock { state in
            self.shards.table(shard).forEach { slot, _ in
                let record = self.records.record(slot.location)
                if record.isTrace { return }
                if let complete = self.hidden?.join(record) {
                    complete.withRecord { Self.append($0, to: &appended) }
                } else {
                    Self.append(record, to: &appended)
                }
                count += 1
            }
            for ended in self.unannounced(ofShard: shard, state) {
                ended.record.withRecord { Self.append($0, to: &appended) }
                count += 1
            }
        }
        swap(&appended, &bytes)
        return count
    }

    /// Adds the complete record of a new key to the index, if there is one.
    private func addToIndex(_ record: PackedRecord, _ hash: UInt64, _ shard: Int, _ state: inout ChangeState) {
        guard self.index != nil else { return }
        self.noteIndexed(nil, &state)
        self.reindex(record, hash, shard, &state)
    }

    /// The records of a shard that were ended and not announced, unless their keys were stored again. None if a store
    /// with `max_entries` could not load them all.
    private func unannounced(ofShard shard: Int, _ state: ChangeState) -> [EndedSnapshot] {
        guard let index = state.index, self.count + index.unannouncedCount <= self.maxEntries else { return [] }
        return index.unannounced(ofShard: shard).filter { ended in
            guard let found = self.find(self.hasher.hash(ended.key.span), ended.key.span, shard) else { return true }
            return self.records.record(found.slot.location).isTrace
        }
    }

    private static func append(_ record: PackedRecord, to bytes: inout [UInt8]) {
        let size = record.size
        bytes.append(number: UInt32(size - 1))
        unsafe bytes.append(contentsOf: record.unsafeBytes(0..<PackedRecord.marksOffset))
        unsafe bytes.append(contentsOf: record.unsafeBytes(PackedRecord.headerSize..<size))
    }

    /// Puts a record into an empty slot; returns false if its key already has one. A full store leaves out what has
    /// expired.
    ///
    /// `bytes` must have been checked to be exactly those of a live record.
    func insertRecord(_ bytes: Span<UInt8>, key: Span<UInt8>) throws(CheckpointFailure) -> Bool {
        guard bytes.count <= self.maxRecordBytes else {
            throw CheckpointFailure("a record has \(bytes.count) bytes, but max_record_bytes is \(self.maxRecordBytes)")
        }
        if self.count >= self.maxEntries, !self.makeRoom() {
            if self.leavesOut(bytes) { return true }
            throw CheckpointFailure("it has more snapshots than max_entries (\(self.maxEntries))")
        }
        let hash = self.hasher.hash(key)
        let shard = self.shards.index(of: hash)
        return try self.changes.withLock { (state) throws(CheckpointFailure) in
            guard self.find(hash, key, shard) == nil else { return false }
            if let hidden = self.hidden {
                try self.insert(divided: bytes, hidden, hash, shard, &state)
                return true
            }
            let location: RecordLocation
            do { location = try self.take(SizeClass(bytes: bytes.count), &state, newIn: shard) } catch {
                throw CheckpointFailure("\(error)")
            }
            let words = self.records.words(of: location)
            unsafe bytes.withUnsafeBytes { unsafe words.store($0) }
            RecordHead.mark(words, state.conditions.marks(of: self.records.record(location)))
            self.put(Slot(hash: hash, location), hash, shard, instead: nil, &state)
            self.live.wrappingAdd(1, ordering: .relaxed)
            self.noteExpiry(of: self.records.record(location), shard, &state)
            self.addToIndex(self.records.record(location), hash, shard, &state)
            return true
        }
    }

    private func insert(
        divided bytes: Span<UInt8>, _ hidden: HiddenMemory, _ hash: UInt64, _ shard: Int, _ state: inout ChangeState
    ) throws(CheckpointFailure) {
        do {
            try RecordClone([UInt8](copying: bytes)).withRecord { (record) throws(StageFailure) in
                try self.put(divided: record, hidden, hash, shard, instead: nil, &state)
                self.noteExpiry(of: record, shard, &state)
                self.addToIndex(record, hash, shard, &state)
            }
        } catch {
            throw CheckpointFailure("\(error)")
        }
        self.live.wrappingAdd(1, ordering: .relaxed)
    }

    /// Prevents entries up to this one from changing keys without a record: all of these entries are in the store
    /// already, so such a key was evicted or never existed.
    func setFloor(_ entry: EntryID) {
        self.changes.withLock { state in
            for stream in 0..<(state.streams?.names.count ?? 1) { state.evictions.raiseFloor(to: entry, of: stream) }
        }
    }
}
