import StageKit
import Testing

@testable import SnapshotStores

@Suite struct LookupTests {
    @Test("A check distinguishes: meets the condition, does not, lacks the field, no snapshot, evicted")
    func check() throws {
        let harness = Harness()
        let isActive = harness.store.condition("status", equals: "active")
        _ = try harness.upsert("good", 1)
        _ = try harness.upsert("revoked", 2, status: "revoked")
        _ = try harness.upsert(Harness.entry(3), [.text("bare")])
        _ = try harness.upsert("gone", 4)
        _ = try harness.evict("gone", 5)
        #expect(harness.store.check("good", isActive) == true)
        #expect(harness.store.check("revoked", isActive) == false)
        #expect(harness.store.check("bare", isActive) == false)
        #expect(harness.store.check("absent", isActive) == nil)
        #expect(harness.store.check("gone", isActive) == nil)
    }

    @Test("A snapshot read in place has key, id, values and numbers, and the body's error is rethrown")
    func inPlace() throws {
        let harness = Harness()
        let user = harness.store.field("user")
        let revoked = harness.store.field("revoked_at_ms")
        _ = try harness.upsert(
            Harness.entry(1), [.text("k"), .text("u-1"), .absent, .integer(99, text: "99")])
        let key = Array("k".utf8)
        let text = harness.store.withSnapshot(for: key.span) { view in
            let name = view.withKey { $0.count }
            let value = view.withValue(of: user) { $0?.count ?? -1 }
            let digits = view.withValue(of: revoked) { $0?.count ?? -1 }
            let status = view.withValue(of: harness.store.field("status")) { $0 == nil }
            return "\(view.entryID) \(name) \(value) \(digits) \(view.integer(of: revoked) ?? 0) \(status)"
        }
        #expect(text == "0-1 1 3 2 99 true")
        #expect(throws: StageFailure("no")) {
            try harness.store.withSnapshot(for: key.span) { _ throws(StageFailure) in throw StageFailure("no") }
        }
        #expect(harness.store.check("k", harness.store.condition("user", equals: "u-1")) == true)
    }

    @Test("An iteration over all snapshots can be stopped, and may use the store")
    func walk() throws {
        let harness = Harness()
        for key in 0..<100 { _ = try harness.upsert("k\(key)", UInt64(key + 1)) }
        var seen = 0
        #expect(throws: StageFailure.self) {
            try harness.store.forEachSnapshot { snapshot in
                seen += 1
                #expect(harness.store.snapshot(for: snapshot.key.span) == snapshot)
                if seen == 60 { throw StageFailure("enough") }
            }
        }
        #expect(seen == 60)
    }

    @Test("Hints change nothing, whether their events are applied, left out or have another key")
    func hints() throws {
        let harness = Harness()
        let batch = EventBatch()
        let keys = (0..<100).map { Array("k\($0)".utf8) }
        for (index, _) in keys.enumerated() { batch.appendEntry(Harness.entry(UInt64(index + 1))) }
        batch.prepareCells(fieldCount: Harness.names.count)
        for round in 0..<2 {
            for index in keys.indices {
                batch.withEvent(at: index) { event in
                    event.set(FieldID(index: 0), copying: keys[index])
                    harness.writer.prepare(event)
                    event.set(FieldID(index: 0), copying: keys[(index + round) % 100])
                }
            }
            for index in stride(from: round, to: 100, by: 2) {
                _ = try batch.withEvent(at: index) { try harness.writer.upsert($0) }
            }
        }
        #expect(harness.store.count == 50)
        #expect(harness.store.snapshot(for: "k2")?.entryID == Harness.entry(3))
        #expect(harness.store.snapshot(for: "k4")?.entryID == Harness.entry(5))
    }

    @Test("Each store hashes with secrets of its own, and every byte of a key counts")
    func hashing() {
        let (first, second) = (KeyHasher(), KeyHasher())
        var hashes: Set<UInt64> = []
        for length in 0...70 {
            let key = [UInt8](repeating: 1, count: length)
            #expect(first.hash(key.span) == first.hash(key.span))
            #expect(first.hash(key.span) != second.hash(key.span))
            hashes.insert(first.hash(key.span))
            for index in key.indices {
                var other = key
                other[index] = 2
                hashes.insert(first.hash(other.span))
            }
        }
        #expect(hashes.count == 71 + (0...70).reduce(0, +))
        #expect(KeyHasher(mask: 0).hash([1, 2, 3].span) == 0)
    }
}
