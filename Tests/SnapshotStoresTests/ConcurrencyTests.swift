import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

@Suite struct ConcurrencyTests {
    /// What the threads found.
    final class Tally: Sendable {
        let done = Atomic<Bool>(false)
        let torn = Atomic<Int>(0)
        let backwards = Atomic<Int>(0)
        let seen = Atomic<Int>(0)
    }

    /// What a round's record of a key says in all its parts, so that a torn one contradicts itself.
    static func values(key: Int, round: UInt64) -> [Harness.Value] {
        let byte = UInt8(truncatingIfNeeded: round)
        return [
            .text("key-\(key)"), .bytes([UInt8](repeating: byte, count: Int(round * 7 % 90))),
            .bytes([UInt8](repeating: byte, count: 20)), .integer(Int64(round), text: "\(round)"),
        ]
    }

    static func isWhole(_ snapshot: Snapshot) -> Bool {
        guard let round = snapshot.integer("revoked_at_ms").map({ UInt64($0) }) else { return false }
        let key = Int(String(decoding: snapshot.key.dropFirst(4), as: UTF8.self)) ?? -1
        return snapshot.entryID == Harness.entry(round)
            && snapshot.fields == ModelTests.fields(self.values(key: key, round: round))
    }

    @Test("Two readers and an export beside a writer see complete records that never go back")
    func readersBesideWriter() async {
        let store = Harness(shards: 4).store
        let keys = 200
        let tally = Tally()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { @concurrent in
                let writer = Harness.writer(of: store)
                let batch = EventBatch()
                for round in UInt64(1)...UInt64(Harness.rounds(6_000)) {
                    let key = Int(round &* 2_654_435_761 % UInt64(keys))
                    Harness.withEvent(batch, Harness.entry(round), ConcurrencyTests.values(key: key, round: round)) {
                        writer.prepare($0)
                        _ = round % 16 == 0 ? try? writer.evict($0) : try? writer.upsert($0)
                    }
                }
                tally.done.store(true, ordering: .releasing)
            }
            for reader in 0..<2 {
                group.addTask { @concurrent in
                    var newest = [EntryID](repeating: .zero, count: keys)
                    var turn = reader
                    repeat {
                        turn += 1
                        guard let snapshot = store.snapshot(for: "key-\(turn % keys)") else { continue }
                        tally.seen.wrappingAdd(1, ordering: .relaxed)
                        if !ConcurrencyTests.isWhole(snapshot) { tally.torn.wrappingAdd(1, ordering: .relaxed) }
                        if snapshot.entryID < newest[turn % keys] { tally.backwards.wrappingAdd(1, ordering: .relaxed) }
                        newest[turn % keys] = snapshot.entryID
                    } while !tally.done.load(ordering: .acquiring) || turn < keys * 2
                }
            }
            group.addTask { @concurrent in
                repeat {
                    store.forEachSnapshot {
                        if !ConcurrencyTests.isWhole($0) { tally.torn.wrappingAdd(1, ordering: .relaxed) }
                    }
                } while !tally.done.load(ordering: .acquiring)
            }
        }
        #expect(tally.torn.load(ordering: .relaxed) == 0)
        #expect(tally.backwards.load(ordering: .relaxed) == 0)
        #expect(tally.seen.load(ordering: .relaxed) > 0)
    }

    @Test("Two writers and a concurrent emptying leave the store consistent")
    func writersBesideRemoval() async {
        let store = Harness(evictions: 16, shards: 4).store
        await withTaskGroup(of: Void.self) { group in
            for part in UInt64(0)..<2 {
                group.addTask { @concurrent in
                    let writer = Harness.writer(of: store)
                    let batch = EventBatch()
                    for round in UInt64(1)...UInt64(Harness.rounds(2_000)) {
                        let values = ConcurrencyTests.values(key: Int(round % 97), round: round * 2 + part)
                        Harness.withEvent(batch, Harness.entry(round * 2 + part), values) {
                            writer.prepare($0)
                            _ = round % 5 == 0 ? try? writer.evict($0) : try? writer.upsert($0)
                        }
                    }
                }
            }
            group.addTask { @concurrent in for _ in 0..<Harness.rounds(50) { store.removeAll() } }
        }
        var walked = 0
        store.forEachSnapshot { _ in walked += 1 }
        #expect(walked == store.count)
        store.removeAll()
        #expect(store.count == 0)
        #expect(store.snapshot(for: "key-1") == nil)
    }
}
