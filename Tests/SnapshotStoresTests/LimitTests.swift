import StageKit
import Testing

@testable import SnapshotStores

@Suite struct LimitTests {
    @Test("A full store refuses new keys, updates held ones and has room again after an eviction")
    func full() throws {
        let harness = Harness(maxEntries: 2)
        _ = try harness.upsert("a", 1)
        _ = try harness.upsert("b", 2)
        #expect(throws: StageFailure("store \"sessions\" is full: max_entries is 2")) {
            try harness.upsert("c", 3)
        }
        #expect(harness.store.count == 2)
        #expect(harness.store.snapshot(for: "c") == nil)
        #expect(try harness.upsert("a", 4) == .applied)
        #expect(try harness.evict("a", 5) == .applied)
        #expect(try harness.upsert("c", 6) == .applied)
        #expect(throws: StageFailure.self) { try harness.upsert("a", 7) }
    }

    @Test("A record that is too large is refused, and the previous one is kept")
    func largeRecord() throws {
        let harness = Harness(maxRecordBytes: 128)
        _ = try harness.upsert("k", 1)
        #expect(throws: StageFailure("store \"sessions\" refuses a record of 235 bytes: max_record_bytes is 128")) {
            try harness.upsert("k", 2, status: String(repeating: "x", count: 207))
        }
        #expect(throws: StageFailure("store \"sessions\" refuses a record of 9029 bytes: max_record_bytes is 128")) {
            try harness.upsert("k", 2, status: String(repeating: "x", count: 9000))
        }
        #expect(harness.store.snapshot(for: "k")?.entryID == Harness.entry(1))
        #expect(try harness.upsert("k", 1, status: String(repeating: "x", count: 207)) == .repeated)
    }

    @Test("Evicting a key that no record can have leaves no trace", arguments: [100, 128, 2_000_000])
    func longKey(length: Int) throws {
        let harness = Harness(maxRecordBytes: 128)
        let key = [UInt8](repeating: 7, count: length)
        let changes = try ([5, 5, 6] as [UInt64]).map { id in
            try Harness.withEvent(harness.batch, Harness.entry(id), [.bytes(key)]) { try harness.writer.evict($0) }
        }
        #expect(changes == [.applied, length > 100 ? .applied : .repeated, .applied])
        #expect((harness.store.evictingEntry(for: key.span) == nil) == (length > 100))
        #expect(try harness.upsert("another", 1) == .applied)
    }

    @Test("The largest record that the settings allow is stored")
    func largestRecord() throws {
        let harness = Harness(maxRecordBytes: MemoryStore.Limits.recordBytesRange.upperBound)
        let value = [UInt8](repeating: 7, count: MemoryStore.Limits.recordBytesRange.upperBound - 100)
        _ = try harness.upsert(Harness.entry(1), [.text("k"), .bytes(value)])
        #expect(harness.store.snapshot(for: "k")?.fields[1].bytes == value)
    }

    @Test("An event without a key is refused")
    func missingKey() {
        let harness = Harness()
        let expected = StageFailure("store \"sessions\": the event has no id")
        #expect(throws: expected) { try harness.upsert(Harness.entry(1), [.absent, .text("u")]) }
        #expect(throws: expected) {
            try Harness.withEvent(harness.batch, Harness.entry(1), [.absent]) { try harness.writer.evict($0) }
        }
        #expect(harness.store.count == 0)
    }

    @Test("A writer with more field names than a store can number refuses events; earlier names stay valid")
    func tooManyNames() throws {
        let harness = Harness()
        let fields = (0..<FieldNames.limit).map { (name: "f\($0)", field: FieldID(index: 1)) }
        let writer = harness.store.makeWriter(key: FieldID(index: 0), fields: fields)
        #expect(throws: StageFailure.self) {
            try Harness.withEvent(harness.batch, Harness.entry(1), [.text("k")]) { try writer.upsert($0) }
        }
        #expect(try harness.upsert("k", 1) == .applied)
        #expect(harness.store.check("k", harness.store.condition("beyond", equals: "")) == false)
    }

    @Test("No more evictions are remembered than the limit; the oldest is dropped")
    func boundedEvictions() {
        var memory = EvictionMemory(limit: 3)
        let traces = (0..<8).map { EvictionMemory.Trace(hash: UInt64($0), entryID: Harness.entry(UInt64($0))) }
        let forgotten = traces.map { memory.remember($0) }
        #expect(forgotten == [nil, nil, nil] + traces.prefix(5).map { Optional($0) })
    }
}
