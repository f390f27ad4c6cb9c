public import StageKit

// The evicted keys that the store remembers.
extension MemoryStore {
    /// Calls `body` with every key whose eviction is remembered, in no order; shard by shard, the keys are copied while
    /// changes wait.
    public func forEachEvictedKey(_ body: (_ key: [UInt8], _ entry: EntryID) throws -> Void) rethrows {
        for shard in 0..<self.shards.count {
            var traces: [(key: [UInt8], entry: EntryID)] = []
            self.changes.withLock { _ in
                self.shards.table(shard).forEach { slot, _ in
                    let record = self.records.record(slot.location)
                    guard record.isTrace else { return }
                    unsafe traces.append((Array(record.unsafeBytes(record.keyRange)), record.entryID))
                }
            }
            for trace in traces { try body(trace.key, trace.entry) }
        }
    }
}
