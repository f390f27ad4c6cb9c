import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

/// Readers without a lock beside a writer that makes it as hard for them as it can: few keys, one shard, sizes that change
/// all the time.
@Suite struct TornReadTests {
    /// What the threads found.
    final class Tally: Sendable {
        let done = Atomic<Bool>(false)
        let wrong = Atomic<Int>(0)
        let answers = Atomic<Int>(0)
        /// Keys below this number were held before it was stored.
        let held = Atomic<Int>(0)
    }

    /// All texts of a round's record are made of its byte, and its lengths follow from the round: from within one line of
    /// memory to more than what is copied without a lock.
    static func values(key: Int, round: UInt64) -> [Harness.Value] {
        let byte = UInt8(truncatingIfNeeded: round)
        let lengths = [0, 3, 17, 40, 90, 200, 260, 700, 1500]
        return [
            .text("session-\(key)"), .bytes([UInt8](repeating: byte, count: lengths[Int(round % 9)])), .text("active"),
            .integer(Int64(round), text: "\(round)"),
        ]
    }

    static func isWhole(_ view: borrowing SnapshotView, key: [UInt8], user: SnapshotField, round: SnapshotField) -> Bool
    {
        guard let number = view.integer(of: round).map({ UInt64($0) }), view.entryID == Harness.entry(number) else {
            return false
        }
        guard case .bytes(let expected) = Self.values(key: 0, round: number)[1] else { return false }
        return view.withKey { [UInt8](copying: $0) == key }
            && view.value(of: user, equals: expected.span)
    }

    @Test("Concurrent reads are complete and never go back, and a condition that always holds never fails")
    func readersBesideWriter() async {
        let store = Harness(shards: 1).store
        let keys = (0..<8).map { Array("session-\($0)".utf8) }
        let tally = Tally()
        let (isActive, user) = (store.condition("status", equals: "active"), store.field("user"))
        let round = store.field("revoked_at_ms")
        let writer = Harness.writer(of: store)
        let batch = EventBatch()
        for key in UInt64(1)...8 {
            Harness.withEvent(batch, Harness.entry(key), Self.values(key: Int(key - 1), round: key)) {
                _ = try? writer.upsert($0)
            }
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { @concurrent in
                let writer = Harness.writer(of: store)
                let batch = EventBatch()
                for round in UInt64(9)...UInt64(Harness.rounds(10_000)) {
                    let key = Int((round &* 2_654_435_761) >> 7 % 8)
                    Harness.withEvent(batch, Harness.entry(round), TornReadTests.values(key: key, round: round)) {
                        _ = try? writer.upsert($0)
                    }
                }
                tally.done.store(true, ordering: .releasing)
            }
            for reader in 0..<2 {
                group.addTask { @concurrent in
                    var newest = [EntryID](repeating: .zero, count: keys.count)
                    var turn = reader
                    repeat {
                        turn += 1
                        let number = turn % keys.count
                        let key = keys[number]
                        let isRight: Bool? = store.withSnapshot(for: key.span) { view in
                            defer { newest[number] = view.entryID }
                            if view.entryID < newest[number] { return false }
                            return TornReadTests.isWhole(view, key: key, user: user, round: round)
                        }
                        let answer = store.check(key.span, isActive)
                        if isRight != true || answer != true {
                            tally.wrong.wrappingAdd(1, ordering: .relaxed)
                        }
                        tally.answers.wrappingAdd(1, ordering: .relaxed)
                    } while !tally.done.load(ordering: .acquiring)
                }
            }
        }
        #expect(tally.wrong.load(ordering: .relaxed) == 0)
        #expect(tally.answers.load(ordering: .relaxed) > 0)
    }

    @Test("Keys that are held are found while the table grows")
    func growth() async {
        let store = Harness(shards: 1).store
        let keys = Harness.rounds(8_000)
        let tally = Tally()
        let isActive = store.condition("status", equals: "active")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { @concurrent in
                let writer = Harness.writer(of: store)
                let batch = EventBatch()
                for key in 0..<keys {
                    let id = UInt64(key + 1)
                    Harness.withEvent(batch, Harness.entry(id), TornReadTests.values(key: key, round: id)) {
                        _ = try? writer.upsert($0)
                    }
                    tally.held.store(key + 1, ordering: .releasing)
                }
                tally.done.store(true, ordering: .releasing)
            }
            group.addTask { @concurrent in
                var generator = SplitMix64(state: 1)
                repeat {
                    let held = tally.held.load(ordering: .acquiring)
                    guard held > 0 else { continue }
                    if store.check("session-\(Int.random(in: 0..<held, using: &generator))", isActive) != true {
                        tally.wrong.wrappingAdd(1, ordering: .relaxed)
                    }
                    tally.answers.wrappingAdd(1, ordering: .relaxed)
                } while !tally.done.load(ordering: .acquiring) || tally.answers.load(ordering: .relaxed) < 1000
            }
        }
        #expect(tally.wrong.load(ordering: .relaxed) == 0)
        #expect((0..<keys).allSatisfy { store.check("session-\($0)", isActive) == true })
    }

    @Test("While the store is emptied and filled, a key has its own snapshot or none")
    func removal() async {
        let store = Harness(shards: 1).store
        let tally = Tally()
        let isActive = store.condition("status", equals: "active")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { @concurrent in
                let writer = Harness.writer(of: store)
                let batch = EventBatch()
                for _ in 0..<Harness.rounds(30) {
                    store.removeAll()
                    for key in 0..<300 {
                        Harness.withEvent(batch, Harness.entry(7), TornReadTests.values(key: key, round: 7)) {
                            _ = try? writer.upsert($0)
                        }
                    }
                }
                tally.done.store(true, ordering: .releasing)
            }
            group.addTask { @concurrent in
                var generator = SplitMix64(state: 1)
                repeat {
                    let key = "session-\(Int.random(in: 0..<400, using: &generator))"
                    if let snapshot = store.snapshot(for: key), String(decoding: snapshot.key, as: UTF8.self) != key {
                        tally.wrong.wrappingAdd(1, ordering: .relaxed)
                    }
                    if store.check(key, isActive) == false { tally.wrong.wrappingAdd(1, ordering: .relaxed) }
                } while !tally.done.load(ordering: .acquiring)
            }
        }
        #expect(tally.wrong.load(ordering: .relaxed) == 0)
        #expect(store.count == 300)
        #expect((0..<400).allSatisfy { (store.check("session-\($0)", isActive) == true) == ($0 < 300) })
    }
}
