public import ComponentKit
public import StageKit
import Synchronization

// Removes snapshots that have expired. Lookups do not depend on it: they decide by themselves.
extension MemoryStore {
    /// The limits of the removal of expired snapshots.
    enum ExpiryLimits {
        /// The number of records that one call of `removeExpired` searches, unless a single shard has more: some 20 ms
        /// of work a second at most. Ten million snapshots are searched within a minute, a million at once.
        static let searchedRecords = 1 << 18
        /// The number of snapshots that are announced together.
        static let page = 4096
        /// The number of bytes of their keys, unless a single key is larger.
        static let pageBytes = 1 << 20
        /// The number of snapshots that are removed while changes wait: some tens of microseconds.
        static let removedAtOnce = 256
        /// The number of snapshots that a full store removes for one change: the next changes have room, too.
        static let room = 1024
    }

    /// This store, or `nil` if its snapshots never expire.
    public var expiring: (any ExpiringStore)? { self.expiry == nil ? nil : self }

    /// The number of snapshots that were removed because they had expired.
    public var expiredCount: Int { self.expiry?.removed.load(ordering: .relaxed) ?? 0 }

    /// How long a snapshot is valid after the time in its entry's id, or `nil` if that time does not matter.
    public var timeToLive: Duration? {
        self.expiry?.rule.timeToLive.map { .milliseconds($0) }
    }

    /// The field that says when a snapshot expires, or `nil` if there is none.
    package var expiryField: LocatedName? { self.expiry?.field }

    /// Makes snapshots expire by the given clock alone, for a pipeline that only tests something.
    package func holdExpiryClock() {
        self.expiry?.clock.hold()
    }

    /// Announces snapshots that have expired, then removes them: see `ExpiringStore`.
    ///
    /// Only shards in which something may have expired are searched, as many as `ExpiryLimits` allow. Changes wait while
    /// a shard is searched, as they do for a checkpoint; lookups do not wait.
    public func removeExpired(
        _ announce: nonisolated(nonsending) ([ExpiredSnapshot]) async throws -> Void
    ) async throws {
        guard let expiry = self.expiry else { return }
        expiry.clock.tick()
        try await self.announceRemoved(announce)
        var searched = 0
        while searched < ExpiryLimits.searchedRecords, let found = self.nextExpired(expiry) {
            // Even an empty shard counts, so that the loop ends.
            searched += found.searched + 1
            if found.snapshots.isEmpty { continue }
            do {
                try await announce(found.snapshots)
            } catch {
                self.changes.withLock { state in _ = state.expiry?.note(.min, found.shard) }
                throw error
            }
            self.remove(found.snapshots, of: found.shard, expiry)
        }
    }

    /// Removes snapshots that have expired, after a change was refused; they are announced by the next `removeExpired`.
    ///
    /// - Returns: Whether the change can be tried again: the store was full, and some were removed.
    @inline(never)
    func makeRoom() -> Bool {
        guard let expiry = self.expiry else { return false }
        let now = expiry.clock.now
        return self.changes.withLock { state in
            guard self.count >= self.maxEntries || state.lacksMemory else { return false }
            state.lacksMemory = false
            while state.expiry?.hasRoom == true, let shard = state.expiry?.takeDue(now: now) {
                let search = self.search(shard, expiry, now: now, limit: ExpiryLimits.room)
                state.expiry?.searched(shard, earliest: search.earliest)
                for (index, slot) in search.expired {
                    guard state.expiry?.hasRoom == true else {
                        state.expiry?.note(.min, shard)
                        break
                    }
                    let snapshot = ExpiredSnapshot(self.records.record(slot.location))
                    state.expiry?.owe(snapshot)
                    self.expire(at: index, slot, self.hasher.hash(snapshot.key.span), shard, expiry, &state)
                }
                if !search.expired.isEmpty { return true }
            }
            return false
        }
    }

    /// Whether a full store leaves out a record of a checkpoint because it has expired; it is announced like a removed
    /// one.
    func leavesOut(_ bytes: Span<UInt8>) -> Bool {
        guard let expiry = self.expiry else { return false }
        return RecordClone([UInt8](copying: bytes)).withRecord { record in
            guard expiry.isExpired(record) else { return false }
            return self.changes.withLock { state in
                guard state.expiry?.hasRoom == true else { return false }
                state.expiry?.owe(ExpiredSnapshot(record))
                expiry.removed.wrappingAdd(1, ordering: .relaxed)
                return true
            }
        }
    }

    /// Records when a record of a shard expires, if the store has an expiry.
    func noteExpiry(of record: PackedRecord, _ shard: Int, _ state: inout ChangeState) {
        guard let expiry = self.expiry else { return }
        state.expiry?.note(expiry.expiryTime(of: record), shard)
    }

    /// Announces the snapshots that `makeRoom` has removed. Those that it removes meanwhile are left to the next call.
    private func announceRemoved(
        _ announce: nonisolated(nonsending) ([ExpiredSnapshot]) async throws -> Void
    ) async throws {
        var left = self.changes.withLock { $0.expiry?.unannounced.count ?? 0 }
        while left > 0 {
            let page = self.changes.withLock { state in
                Array(state.expiry?.unannounced.prefix(Swift.min(left, ExpiryLimits.page)) ?? [])
            }
            try await announce(page)
            self.changes.withLock { state in _ = state.expiry?.announced(page.count) }
            left -= page.count
        }
    }

    /// Expired snapshots of a shard.
    private struct Found: Sendable {
        var shard: Int
        var snapshots: [ExpiredSnapshot]
        var searched: Int
    }

    /// Searches the next shard in which something may have expired; returns `nil` if there is none.
    private func nextExpired(_ expiry: StoreExpiry) -> Found? {
        let now = expiry.clock.now
        return self.changes.withLock { state in
            guard let shard = state.expiry?.takeDue(now: now) else { return nil }
            let search = self.search(shard, expiry, now: now, limit: ExpiryLimits.page)
            state.expiry?.searched(shard, earliest: search.earliest)
            let snapshots = search.expired.map { ExpiredSnapshot(self.records.record($0.slot.location)) }
            return Found(shard: shard, snapshots: snapshots, searched: self.shards.used(shard))
        }
    }

    /// The result of a search.
    private struct Search {
        /// The slots of expired snapshots, with their indexes.
        var expired: [(index: Int, slot: Slot)] = []
        /// The earliest expiry of all others.
        var earliest = Int64.max
    }

    /// Finds up to `limit` expired snapshots of a shard; the caller must hold `changes`.
    private func search(_ shard: Int, _ expiry: StoreExpiry, now: Int64, limit: Int) -> Search {
        var search = Search()
        var bytes = 0
        self.shards.table(shard).forEach { slot, index in
            let record = self.records.record(slot.location)
            if record.isTrace { return }
            let time = expiry.expiryTime(of: record)
            if time <= now, search.expired.count < limit, bytes < ExpiryLimits.pageBytes {
                search.expired.append((index, slot))
                bytes += record.keyRange.count
            } else {
                search.earliest = Swift.min(search.earliest, time)
            }
        }
        return search
    }

    /// Removes announced snapshots, unless they have been replaced meanwhile.
    private func remove(_ snapshots: [ExpiredSnapshot], of shard: Int, _ expiry: StoreExpiry) {
        for start in stride(from: 0, to: snapshots.count, by: ExpiryLimits.removedAtOnce) {
            let part = snapshots[start..<Swift.min(start + ExpiryLimits.removedAtOnce, snapshots.count)]
            self.changes.withLock { state in
                for snapshot in part {
                    let hash = self.hasher.hash(snapshot.key.span)
                    guard let found = self.find(hash, snapshot.key.span, shard) else { continue }
                    let record = self.records.record(found.slot.location)
                    guard !record.isTrace, record.entryID == snapshot.entry else { continue }
                    self.expire(at: found.index, found.slot, hash, shard, expiry, &state)
                }
            }
        }
    }

    /// Replaces an expired snapshot with the trace of an eviction by its own entry, so that neither that entry nor an
    /// older one restores the key. If there is no memory for a trace, the floor rises instead, and the memory is freed.
    private func expire(
        at index: Int, _ slot: Slot, _ hash: UInt64, _ shard: Int, _ expiry: StoreExpiry, _ state: inout ChangeState
    ) {
        let record = self.records.record(slot.location)
        if self.index != nil { self.noteIndexed(record, &state) }
        let entry = record.entryID
        let stream = state.streams?.origin(of: record) ?? 0
        var trace = unsafe [UInt8](record.unsafeBytes(0..<record.keyRange.upperBound))
        trace[PackedRecord.countOffset] = PackedRecord.traceMark
        trace[PackedRecord.marksOffset] = UInt8(stream)
        if let location = self.records.take(SizeClass(bytes: trace.count), from: &state.allocations) {
            unsafe trace.withUnsafeBytes { unsafe self.records.words(of: location).store($0) }
            self.shards.replace(at: index, with: Slot(hash: hash, location), shard)
            self.giveBack(slot.location, &state)
            if let oldest = state.evictions.remember(EvictionMemory.Trace(hash: hash, entryID: entry)) {
                self.forget(oldest, &state)
            }
        } else {
            state.evictions.raiseFloor(to: entry, of: stream)
            self.shards.remove(at: index, shard)
            self.giveBack(slot.location, &state)
        }
        if self.index != nil { self.reindex(nil, hash, shard, &state) }
        self.live.wrappingSubtract(1, ordering: .relaxed)
        expiry.removed.wrappingAdd(1, ordering: .relaxed)
    }
}

extension ExpiredSnapshot {
    /// Copies the key and the entry of a record.
    fileprivate init(_ record: PackedRecord) {
        self.init(
            key: unsafe [UInt8](record.unsafeBytes(record.keyRange)), entry: record.entryID)
    }
}
