import StageKit
import Testing

@testable import SnapshotStores

@Suite struct FullStoreTests {
    private static let memory = 4 << 20

    /// A store whose memory is full, and the number of keys in it: key-0 and so on, each from the entry after its number.
    private static func full() throws -> (Harness, Int) {
        let harness = Harness(recordMemory: Self.memory)
        let value = String(repeating: "x", count: 4000)
        var count = 0
        let failure = #expect(throws: StageFailure.self) {
            while true {
                _ = try harness.upsert("key-\(count)", UInt64(count + 1), status: value)
                count += 1
            }
        }
        #expect(
            failure?.message == "store \"sessions\" is full: it holds \(count) snapshots "
                + "and has reached the limit of 4 MiB for records")
        return (harness, count)
    }

    @Test("A store without memory refuses new keys, keeps its records, and accepts updates that fit in place")
    func refuses() throws {
        let (harness, count) = try Self.full()
        #expect(count > 900)
        #expect(harness.store.count == count)
        #expect((0..<count).allSatisfy { harness.store.snapshot(for: "key-\($0)") != nil })
        #expect(harness.store.snapshot(for: "key-\(count)") == nil)
        let later = UInt64(10 * count)
        #expect(try harness.upsert("key-5", later, status: String(repeating: "y", count: 4000)) == .applied)
        #expect(harness.store.snapshot(for: "key-5")?["status"]?.first == "y")
        // Half the memory is not a good fit, and there is no other.
        #expect(throws: StageFailure.self) {
            while true { _ = try harness.upsert("key-6", later, status: String(repeating: "z", count: 8000)) }
        }
        #expect(harness.store.snapshot(for: "key-6")?.entryID == Harness.entry(7))
    }

    @Test("A key is evicted even without memory for a trace, and no older entry restores it")
    func evicts() throws {
        let (harness, count) = try Self.full()
        // What is left is too little for another record, and some of it fits traces: they use it up.
        let later = UInt64(10 * count)
        for key in 0..<count {
            #expect(try harness.evict("key-\(key)", later + UInt64(key)) == .applied)
            #expect(harness.store.snapshot(for: "key-\(key)") == nil)
        }
        #expect(harness.store.count == 0)
        for key in 0..<count { #expect(try harness.upsert("key-\(key)", later - 1) == .older) }
        harness.store.removeAll()
        #expect(try harness.upsert("key-1", 1) == .applied)
        #expect(harness.store.usedBytes < 10_000)
    }

    @Test("A store without any memory evicts unknown keys by treating every entry as old")
    func evictsUnknown() throws {
        let harness = Harness(recordMemory: 0)
        #expect(throws: StageFailure.self) { try harness.upsert("a", 1) }
        #expect(try harness.evict("b", 10) == .applied)
        #expect(harness.store.changes.withLock { $0.evictions.floor(of: 0) } == Harness.entry(10))
        #expect(try harness.evict("b", 10) == .older)
        #expect(try harness.upsert("a", 9) == .older)
        #expect(harness.store.snapshot(for: "b") == nil)
    }

    @Test("Memory freed by evictions and size changes is reused: a store does not grow with its history")
    func reuses() throws {
        let harness = Harness(evictions: 100, recordMemory: Self.memory)
        var clock: UInt64 = 0
        for round in 0..<40 {
            for key in 0..<400 {
                clock += 1
                let length = [40, 300, 2000][(round + key) % 3]
                _ = try harness.upsert("key-\(key)", clock, status: String(repeating: "s", count: length))
            }
            for key in 0..<400 {
                clock += 1
                _ = try harness.evict("key-\(key)", clock)
            }
        }
        #expect(harness.store.count == 0)
    }
}
