import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

@Suite struct MonotonicApplyTests {
    @Test("A replayed event is ordered by its original, and counts as older if the store may have missed entries")
    func replayed() throws {
        let harness = Harness()
        func upsert(_ key: String, _ original: UInt64) throws -> StoreChange {
            harness.batch.removeAll()
            harness.batch.append(
                id: Harness.entry(100),
                fields: [(Array("_sluice_original".utf8), Array("\(Harness.entry(original))".utf8))])
            harness.batch.takeOriginals()
            harness.batch.prepareCells(fieldCount: Harness.names.count)
            return try harness.batch.withEvent(at: 0) { event in
                event.set(FieldID(index: 0), copying: Array(key.utf8))
                return try harness.writer.upsert(event)
            }
        }
        _ = try harness.upsert("held", 5)
        _ = try harness.evict("evicted", 5)
        harness.store.setHistoryStart(Harness.entry(3), of: 0)
        for (key, original, expected) in [
            ("held", 4, .older), ("held", 5, .repeated), ("held", 6, .applied), ("held", 5, .older),
            ("evicted", 4, .older), ("evicted", 5, .older), ("evicted", 6, .applied),
            ("unknown", 3, .older), ("unknown", 4, .applied),
        ] as [(String, UInt64, StoreChange)] {
            let change = try upsert(key, original)
            #expect(change == expected, "\(key) \(original)")
        }
        #expect(harness.store.snapshot(for: "unknown")?.entryID == Harness.entry(4))
        // An entry that is not replayed is applied wherever it comes from.
        let plain = try harness.upsert("other", 2)
        #expect(plain == .applied)
    }

    enum Step: Sendable {
        case upsert(UInt64, StoreChange)
        case evict(UInt64, StoreChange)
        case evictOther(String, UInt64)
        case holds(UInt64?)
        case removeAll
    }

    @Test(
        "Only their ids decide whether entries are applied, refused or repeated",
        arguments: [
            [.upsert(5, .applied), .upsert(4, .older), .upsert(5, .repeated), .upsert(6, .applied), .holds(6)],
            // Evictions of a held key.
            [.upsert(5, .applied), .evict(4, .older), .holds(5)],
            [
                .upsert(5, .applied), .evict(5, .applied), .holds(nil), .upsert(5, .older), .upsert(6, .applied),
                .holds(6),
            ],
            [.upsert(5, .applied), .evict(7, .applied), .upsert(6, .older), .upsert(7, .older), .holds(nil)],
            // Evictions of a key that is not held.
            [.evict(5, .applied), .upsert(4, .older), .upsert(5, .older), .upsert(6, .applied), .holds(6)],
            [.evict(5, .applied), .evict(5, .repeated), .evict(4, .older), .evict(6, .applied), .upsert(6, .older)],
            // Two evictions are remembered: the third makes the first the floor, also for keys never seen.
            [.evict(5, .applied), .evictOther("b", 6), .evictOther("c", 7), .upsert(5, .older), .upsert(6, .applied)],
            [.evictOther("a", 5), .evictOther("b", 6), .evictOther("c", 7), .upsert(5, .older), .evict(5, .older)],
            [.evictOther("a", 5), .evictOther("b", 6), .evictOther("c", 7), .upsert(6, .applied), .holds(6)],
            // A held key is not held up by the floor.
            [
                .upsert(1, .applied), .evictOther("a", 5), .evictOther("b", 6), .evictOther("c", 7),
                .upsert(2, .applied),
            ],
            // A trace that a newer entry replaced does not become the floor.
            [.evict(5, .applied), .upsert(9, .applied), .evictOther("b", 6), .evictOther("c", 7), .holds(9)],
            // Forgetting everything forgets traces and the floor.
            [.evict(5, .applied), .removeAll, .upsert(1, .applied), .holds(1)],
            [.evictOther("a", 5), .evictOther("b", 6), .evictOther("c", 7), .removeAll, .upsert(1, .applied)],
        ] as [[Step]])
    func appliesInOrder(steps: [Step]) throws {
        let harness = Harness(evictions: 2)
        for step in steps {
            switch step {
            case .upsert(let id, let expected):
                let change = try harness.upsert("k", id)
                #expect(change == expected)
            case .evict(let id, let expected):
                let change = try harness.evict("k", id)
                #expect(change == expected)
            case .evictOther(let key, let id):
                let change = try harness.evict(key, id)
                #expect(change == .applied)
            case .holds(let id):
                #expect(harness.store.snapshot(for: "k")?.entryID == id.map { Harness.entry($0) })
                #expect(harness.store.count == (id == nil ? 0 : 1))
            case .removeAll: harness.store.removeAll()
            }
        }
    }

    @Test("Forgetting a stale trace does not move the floor")
    func staleTraces() throws {
        let harness = Harness(evictions: 1)
        for id in stride(from: UInt64(1), to: 100, by: 2) {
            #expect(try harness.evict("k", id) == .applied)
            #expect(try harness.upsert("k", id + 1) == .applied)
        }
        #expect(harness.store.changes.withLock { $0.evictions.floor(of: 0) } == nil)
        #expect(try harness.upsert("other", 1) == .applied)
    }
}
