public import StageKit
import Synchronization

// Lookups: from any thread, without a lock except for large records and if changes would not let them finish.
extension MemoryStore {
    /// Records of at most this many bytes are copied to the stack: sessions have a tenth of it, and Swift gives no
    /// more.
    private static let stackBytes = 1024
    /// Attempts of a lookup whose shard changes meanwhile. A change takes about 50 ns, as long as an attempt; only a
    /// growing table, and a writer that the system has suspended in the middle, take longer than this.
    private static let attempts = 32

    /// Returns the field with a name, for lookups in place; snapshots that have it may be added later.
    public func field(_ name: String) -> SnapshotField {
        SnapshotField(number: self.names.withLock { $0.number(of: name) })
    }

    /// Whether the snapshot under a key meets a condition, or `nil` if there is no snapshot.
    ///
    /// ```swift
    /// let isActive = store.condition("status", equals: "active")  // once
    /// if store.check("ds-1", isActive) == true { ... }            // millions of times per second
    /// ```
    public func check(_ key: Span<UInt8>, _ condition: SnapshotCondition) -> Bool? {
        let hash = self.hasher.hash(key)
        if condition.mark != 0, RecordHead.keyLengths.contains(key.count), self.expiry?.isByEntryAlone ?? true {
            switch self.glance(hash, key, condition.mark) {
            case .met: return true
            case .unmet: return false
            case .absent: return nil
            case .uncertain: break
            }
        }
        return self.checkCopy(hash, key, condition)
    }

    /// Whether the snapshot under a key given as text meets a condition, or `nil` if there is no snapshot.
    public func check(_ key: String, _ condition: SnapshotCondition) -> Bool? {
        self.check(key.utf8.span, condition)
    }

    /// Calls `body` with the snapshot under a key, a copy that is valid during the call; returns `nil` if there is
    /// none.
    ///
    /// No lock is held meanwhile.
    public func withSnapshot<R, E: Error>(
        for key: Span<UInt8>, _ body: (borrowing SnapshotView) throws(E) -> R
    ) throws(E) -> R? {
        let hash = self.hasher.hash(key)
        var result: R?
        let isCertain = try self.withCopy(of: hash, key) { (record) throws(E) in
            result = try body(SnapshotView(record, keyLength: key.count))
        }
        if isCertain { return result }
        let clone = self.changes.withLock { _ in self.liveRecord(hash, key).map { self.clone($0) } }
        return try clone?.withRecord { (record) throws(E) in try body(SnapshotView(record, keyLength: key.count)) }
    }

    /// A copy of the snapshot under a key, which does not change.
    public func snapshot(for key: Span<UInt8>) -> Snapshot? {
        self.withSnapshot(for: key) { view in view.copy(names: self.names.withLock { $0.names }) }
    }

    /// The entry that evicted a key, as long as its trace is kept.
    public func evictingEntry(for key: Span<UInt8>) -> EntryID? {
        let hash = self.hasher.hash(key)
        return self.changes.withLock { _ in
            guard let found = self.find(hash, key, self.shards.index(of: hash)) else { return nil }
            let record = self.records.record(found.slot.location)
            return record.isTrace ? record.entryID : nil
        }
    }

    /// Calls `body` with every snapshot that has not expired, in no order; shard by shard, the records are copied while
    /// changes wait.
    public func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
        for shard in 0..<self.shards.count {
            var clones: [RecordClone] = []
            self.changes.withLock { _ in
                self.shards.table(shard).forEach { slot, _ in
                    let record = self.records.record(slot.location)
                    if !record.isTrace, !self.hasExpired(record) { clones.append(self.clone(record)) }
                }
            }
            let names = self.names.withLock { $0.names }
            for clone in clones {
                try body(
                    clone.withRecord { record in
                        SnapshotView(record, keyLength: record.keyRange.count).copy(names: names)
                    })
            }
        }
    }

    /// Calls `body` with a copy of a key's live record, if there is one; returns false if that could not be determined.
    ///
    /// The copy is used only if the shard has not changed since its version was read: then the copy is consistent and
    /// was the key's record at that time.
    @inline(__always)
    private func withCopy<E: Error>(
        of hash: UInt64, _ key: Span<UInt8>, _ body: (PackedRecord) throws(E) -> Void
    ) throws(E) -> Bool {
        let capacity = MemoryStore.stackBytes / SharedWords.stride
        return try unsafe withUnsafeTemporaryAllocation(of: UInt64.self, capacity: capacity) { (buffer) throws(E) in
            guard let copy = buffer.baseAddress else { return false }
            let shard = self.shards.index(of: hash)
            for _ in 0..<MemoryStore.attempts {
                guard let version = self.shards.version(shard) else { continue }
                var isTooLarge = false
                let found = self.shards.table(shard).find(hash) { slot in
                    let location = slot.location
                    guard self.records.isCommitted(location), location.sizeClass.capacity <= MemoryStore.stackBytes
                    else {
                        isTooLarge = true
                        return true
                    }
                    let words = self.records.words(of: location)
                    unsafe words.copyPairs(words.count, to: copy)
                    guard self.shards.isUnchanged(shard, since: version) else { return true }
                    return unsafe PackedRecord(copy).hasKey(key)
                }
                guard self.shards.isUnchanged(shard, since: version) else { continue }
                if isTooLarge { return false }
                if found != nil {
                    let record = unsafe PackedRecord(copy)
                    if !record.isTrace, !self.hasExpired(record) {
                        if let hidden = self.hidden, hidden.hasHiddenPart(record) { return false }
                        try body(record)
                    }
                }
                return true
            }
            return false
        }
    }

    /// The result of reading a record's head.
    private enum Glance {
        case met
        case unmet
        case absent
        /// The shard was changed meanwhile.
        case uncertain
    }

    /// Reads the head of a key's record in place: at most one or two cache lines, and so few instructions that the
    /// processor starts the next lookup while this one waits for memory.
    @inline(__always)
    private func glance(_ hash: UInt64, _ key: Span<UInt8>, _ mark: UInt8) -> Glance {
        let shard = self.shards.index(of: hash)
        guard let version = self.shards.version(shard) else { return .uncertain }
        var answer = Glance.absent
        var entryTime: UInt64 = 0
        _ = self.shards.table(shard).find(hash) { slot in
            let location = slot.location
            // The location of an empty slot, only if it was emptied since.
            guard self.records.isCommitted(location) else { return false }
            let words = self.records.words(of: location)
            guard let head = RecordHead(of: key, in: words) else { return false }
            if !head.isTrace { answer = head.isMarked(mark) ? .met : .unmet }
            if self.expiry != nil { entryTime = RecordHead.entryTime(in: words) }
            return true
        }
        guard self.shards.isUnchanged(shard, since: version) else { return .uncertain }
        if let expiry = self.expiry, expiry.isExpired(entryTime: entryTime) { return .absent }
        return answer
    }

    @inline(never)
    private func checkCopy(_ hash: UInt64, _ key: Span<UInt8>, _ condition: SnapshotCondition) -> Bool? {
        var answer: Bool?
        let isCertain = self.withCopy(of: hash, key) { answer = condition.isMet(by: $0, keyLength: key.count) }
        return isCertain ? answer : self.checkLocked(hash, key, condition)
    }

    @inline(never)
    private func checkLocked(_ hash: UInt64, _ key: Span<UInt8>, _ condition: SnapshotCondition) -> Bool? {
        self.changes.withLock { _ in
            self.liveRecord(hash, key).map { record in
                guard self.hidden != nil else { return condition.isMet(by: record, keyLength: key.count) }
                return self.clone(record).withRecord { condition.isMet(by: $0, keyLength: key.count) }
            }
        }
    }

    /// Returns a key's live record, in place; the caller must hold `changes`.
    private func liveRecord(_ hash: UInt64, _ key: Span<UInt8>) -> PackedRecord? {
        guard let found = self.find(hash, key, self.shards.index(of: hash)) else { return nil }
        let record = self.records.record(found.slot.location)
        return record.isTrace || self.hasExpired(record) ? nil : record
    }

    /// Whether a live record has expired; read after the record, so that a record is never found after its expiry.
    @inline(__always)
    private func hasExpired(_ record: PackedRecord) -> Bool { self.expiry?.isExpired(record) ?? false }
}

/// A copy of a record that does not change.
struct RecordClone {
    private var words: [UInt64]

    /// Copies a record.
    init(_ record: PackedRecord) {
        let size = record.size
        self.words = [UInt64](repeating: 0, count: (size + SharedWords.stride - 1) / SharedWords.stride)
        unsafe self.words.withUnsafeMutableBytes { unsafe $0.copyBytes(from: record.unsafeBytes(0..<size)) }
    }

    /// Creates a copy from the bytes of a record.
    init(_ bytes: [UInt8]) {
        self.words = [UInt64](repeating: 0, count: (bytes.count + SharedWords.stride - 1) / SharedWords.stride)
        unsafe self.words.withUnsafeMutableBytes { unsafe $0.copyBytes(from: bytes) }
    }

    /// Passes the copy to `body`.
    func withRecord<R, E: Error>(_ body: (PackedRecord) throws(E) -> R) throws(E) -> R {
        try unsafe self.words.span.withUnsafeBytes { (bytes) throws(E) in
            // The record exists, so there are words.
            try body(unsafe PackedRecord(bytes.baseAddress.unsafelyUnwrapped))
        }
    }
}
