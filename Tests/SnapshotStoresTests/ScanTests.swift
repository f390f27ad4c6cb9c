import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

@Suite(.timeLimit(.minutes(10))) struct ScanTests {
    /// Lists all keys in steps; `between` is called after each.
    private static func scan(
        _ store: MemoryStore, count: Int, lines: Int = .max, between: () throws -> Void
    ) rethrows -> [String] {
        var keys: [String] = []
        var cursor: UInt64 = 0
        repeat {
            cursor = store.scan(from: cursor, count: count, lines: lines) { key in
                keys.append(String(decoding: [UInt8](copying: key), as: UTF8.self))
            }
            try between()
        } while cursor != 0
        return keys
    }

    private static func scan(_ store: MemoryStore, count: Int) -> [String] {
        self.scan(store, count: count, between: {})
    }

    @Test(
        "A scan lists every key once, whatever the size of its steps, and no evicted ones",
        arguments: [(1, UInt64.max), (10, .max), (1_000_000, .max), (3, 0xFF00_0000_0000_0003), (3, 3)])
    func complete(count: Int, mask: UInt64) throws {
        let harness = Harness(mask: mask)
        #expect(Self.scan(harness.store, count: count) == [])
        let total = mask == .max ? 2_000 : 200
        for index in 0..<total { _ = try harness.upsert("key-\(index)", 1) }
        for index in 0..<total where index % 5 == 0 { _ = try harness.evict("key-\(index)", 2) }
        let expected = (0..<total).filter { $0 % 5 != 0 }.map { "key-\($0)" }
        #expect(Self.scan(harness.store, count: count).sorted() == expected.sorted())
    }

    @Test("A step reads a bounded part of a store that has become empty, and lists a bounded number of keys")
    func steps() throws {
        let harness = Harness(evictions: 10)
        for index in 0..<10_000 { _ = try harness.upsert("key-\(index)", 1) }
        let keys = Self.scan(harness.store, count: 10)
        #expect(keys.count == 10_000)
        var cursor: UInt64 = 0
        repeat {
            var listed = 0
            cursor = harness.store.scan(from: cursor, count: 10, lines: .max) { _ in listed += 1 }
            // The keys of the line that the tenth one is in are listed too.
            #expect(listed < 40)
        } while cursor != 0
        for index in 0..<10_000 { _ = try harness.evict("key-\(index)", 2) }
        var calls = 0
        #expect(Self.scan(harness.store, count: 10, lines: 100) { calls += 1 } == [])
        #expect(calls > 10)
    }

    @Test("Any number is a valid cursor", arguments: [1, 77, 1 << 24, (1 << 26) - 1, 1 << 40, .max] as [UInt64])
    func cursors(cursor: UInt64) throws {
        let harness = Harness()
        for index in 0..<100 { _ = try harness.upsert("key-\(index)", 1) }
        var cursor = cursor
        var calls = 0
        repeat {
            cursor = harness.store.scan(from: cursor, count: 10, lines: 1000) { _ in }
            calls += 1
        } while cursor != 0 && calls < 1000
        #expect(cursor == 0)
    }

    @Test("Keys that are there all the time are listed while others come and go, and tables grow")
    func concurrent() async throws {
        let store = Harness().store
        let writer = Harness.writer(of: store)
        let batch = EventBatch()
        func change(_ key: String, _ id: UInt64, isRemoval: Bool = false) throws {
            try Harness.withEvent(batch, Harness.entry(id), [.text(key), .text("u"), .text("active")]) {
                _ = try isRemoval ? writer.evict($0) : writer.upsert($0)
            }
        }
        for index in 0..<1_000 { try change("stays-\(index)", 1) }
        var id: UInt64 = 2
        var others = 0
        let keys = try Self.scan(store, count: 7) {
            // The store grows to twenty times its size meanwhile, and no further: otherwise the scan would not end.
            for _ in 0..<500 where others < 20_000 {
                try change("other-\(others)", id)
                if others % 3 == 0 { try change("other-\(others / 2)", id + 1, isRemoval: true) }
                others += 1
                id += 2
            }
        }
        let stayed = Set(keys.filter { $0.hasPrefix("stays-") })
        #expect(stayed.count == 1_000)
        #expect(keys.filter { $0.hasPrefix("stays-") }.count == 1_000)
        #expect(others == 20_000)
    }

    /// Whether the writer has ended.
    private final class End: Sendable {
        let isReached = Atomic<Bool>(false)
    }

    @Test("A scan on another thread lists what stays")
    func threads() async throws {
        let store = Harness().store
        let filler = Harness.writer(of: store)
        let batch = EventBatch()
        for index in 0..<2_000 {
            _ = try Harness.withEvent(batch, Harness.entry(1), [.text("stays-\(index)")]) { try filler.upsert($0) }
        }
        let end = End()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { @concurrent in
                let writer = Harness.writer(of: store)
                let batch = EventBatch()
                for round in UInt64(1)...UInt64(Harness.rounds(12_000)) {
                    Harness.withEvent(batch, Harness.entry(round + 1), [.text("other-\(round * 7 % 20_011)")]) {
                        _ = round % 3 == 0 ? try? writer.evict($0) : try? writer.upsert($0)
                    }
                }
                end.isReached.store(true, ordering: .releasing)
            }
            group.addTask { @concurrent in
                repeat {
                    let keys = Self.scan(store, count: 50).filter { $0.hasPrefix("stays-") }
                    #expect(keys.count == 2_000 && Set(keys).count == 2_000)
                } while !end.isReached.load(ordering: .acquiring)
            }
        }
    }
}
