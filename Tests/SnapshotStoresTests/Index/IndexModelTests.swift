import ComponentKit
import StageKit
import Testing

@testable import SnapshotStores

/// The index against a search through all snapshots.
@Suite struct IndexModelTests {
    private static let limit = IndexLimit(count: 100_000, bytes: .max)

    /// The values of the fields `user` and `revoked_at_ms`: text, an empty one, numbers with one text or another, nothing.
    private static let values: [Harness.Value] =
        (0..<6).map { Harness.Value.text("user-\($0)") } + [
            .text(""), .text("12"), .integer(12, text: "12"), .integer(12, text: "012"), .absent,
        ]

    private static let bytes: [[UInt8]] =
        ["user-0", "user-1", "user-2", "user-3", "user-4", "user-5"]
        .map { Array($0.utf8) } + ["", "12", "012", "nobody"].map { Array($0.utf8) }

    /// Checks every value of both fields, and that the index holds nothing else.
    private func check(_ store: MemoryStore, isComplete: Bool) {
        var all: [Snapshot] = []
        store.forEachSnapshot { all.append($0) }
        all.sort { $0.key.lexicographicallyPrecedes($1.key) }
        for (position, field) in ["user", "revoked_at_ms"].enumerated() {
            var expected: [[UInt8]: [Snapshot]] = [:]
            for snapshot in all {
                for held in snapshot.fields where held.name == field {
                    expected[held.bytes, default: []].append(snapshot)
                }
            }
            for value in Self.bytes {
                let found = store.snapshots(by: field, equal: value.span, limit: Self.limit)
                #expect(found?.snapshots == expected[value, default: []])
                #expect(found?.isTruncated == false)
            }
            guard isComplete else { continue }
            // Nothing is left of removed snapshots: the values and the keys under each are those of the others.
            var hashes: [UInt64: Set<UInt64>] = [:]
            for snapshot in all {
                guard let value = snapshot.fields.first(where: { $0.name == field }) else { continue }
                hashes[store.hasher.hash(value.bytes.span), default: []].insert(store.hasher.hash(snapshot.key.span))
            }
            store.changes.withLock { state in
                let index = state.index?.values[position]
                #expect(index?.count == hashes.count)
                for (value, keys) in hashes { #expect(Set(index?.keys(under: value).hashes ?? []) == keys) }
            }
        }
    }

    @Test(
        "Snapshots are found by a field as by a search through all of them, whatever happens to them",
        arguments: [UInt64.max, 0xF000_0000_0000_0003, 0, 0x0000_00FF_0000_0000], [false, true])
    func followsSearch(mask: UInt64, isShared: Bool) async throws {
        var generator = SplitMix64(state: mask &+ (isShared ? 1 : 0))
        let keys = mask == .max ? 300 : 60
        let time = ManualTime(0)
        let file = try isShared ? SharedDirectory() : nil
        defer { withExtendedLifetime(file) {} }
        func make(_ share: StoreShare?) -> Harness {
            Harness(
                mask: mask, evictions: 40, shards: mask == .max ? 4 : 1, expiry: .expiring("expires_at"),
                clock: time.clock, index: ["user", "revoked_at_ms"], share: share)
        }
        var harness = make(file?.share(["status", "expires_at"]))
        try harness.store.open()
        var entry: UInt64 = 10
        for step in 0..<Harness.rounds(3000) {
            entry += 1
            let key = "key-\(Int.random(in: 0..<keys, using: &generator))"
            // Some come late.
            let id = Harness.entry(generator.next() % 8 == 0 ? entry - min(entry, generator.next() % 50) : entry)
            switch generator.next() % 10 {
            case 0..<6:
                let expires = time.now + Int64(generator.next() % 400)
                let values: [Harness.Value] = [
                    .text(key), Self.values.randomElement(using: &generator) ?? .absent, .text("active"),
                    Self.values.randomElement(using: &generator) ?? .absent,
                    generator.next() % 3 == 0 ? .integer(expires, text: "\(expires)") : .absent,
                ]
                _ = try harness.upsert(id, values)
            case 6..<9:
                _ = try Harness.withEvent(harness.batch, id, [.text(key)]) { try harness.writer.evict($0) }
            default: time.now += 5
            }
            switch step % 1500 {
            case 400:
                try await harness.store.removeExpired { _ in }
                self.check(harness.store, isComplete: true)
            case 900: harness.store.removeSnapshots(before: Harness.entry(entry - 200))
            case 1300 where !isShared:
                try await harness.store.removeExpired { _ in }
                harness = try Self.reloaded(harness, into: make(nil), floor: Harness.entry(entry))
                self.check(harness.store, isComplete: true)
            case 1400 where step > 3000, 100 where step == 1600: harness.store.removeAll()
            default: if step % 100 == 0 { self.check(harness.store, isComplete: false) }
            }
        }
        try await harness.store.removeExpired { _ in }
        self.check(harness.store, isComplete: true)
    }

    private static func reloaded(_ old: Harness, into new: Harness, floor: EntryID) throws -> Harness {
        var bytes: [UInt8] = []
        for shard in 0..<old.store.shardTotal {
            _ = old.store.appendRecords(ofShard: shard, to: &bytes, names: old.store.fieldNames.count)
        }
        var cursor = PayloadCursor(bytes)
        let loader = try RecordLoader(new.store, old.store.fieldNames, floor: floor)
        _ = try loader.load(&cursor)
        return new
    }

    @Test("A value with many keys is found in parts, as the limits say")
    func limits() throws {
        let harness = Harness(index: ["user"])
        for key in 0..<1000 { _ = try harness.upsert("key-\(key)", UInt64(key) + 1) }
        let value = Array("u".utf8)
        func found(_ count: Int, _ bytes: Int = .max) -> IndexedSnapshots? {
            harness.store.snapshots(by: "user", equal: value.span, limit: IndexLimit(count: count, bytes: bytes))
        }
        #expect(found(1000)?.snapshots.count == 1000 && found(1000)?.isTruncated == false)
        #expect(found(999)?.snapshots.count == 999 && found(999)?.isTruncated == true)
        let few = try #require(found(1000, 1))
        #expect(few.snapshots.count == MemoryStore.indexedAtOnce && few.isTruncated)
        #expect(harness.store.snapshots(by: "status", equal: value.span, limit: Self.limit) == nil)
        #expect(Harness().store.indexed == nil && harness.store.indexed != nil)
        // The memory of the index counts.
        let plain = Harness()
        for key in 0..<1000 { _ = try plain.upsert("key-\(key)", UInt64(key) + 1) }
        #expect(harness.store.usedBytes > plain.store.usedBytes + 8 * 1000)
    }

    @Test("Hashes of keys are kept once each in every form, and forms change both ways")
    func keyHashes() {
        var (keys, model) = (ValueIndex(), Set<UInt64>())
        var generator = SplitMix64(state: 5)
        for step in 0..<20_000 {
            let hash = generator.next() % 100
            // Phases in which most come and most go.
            if generator.next() % 10 < (step / 2000 % 2 == 0 ? 8 : 2) {
                keys.insert(hash, under: 7)
                model.insert(hash)
            } else {
                keys.remove(hash, under: 7)
                model.remove(hash)
            }
            let found = keys.keys(under: 7)
            #expect(found.total == model.count && found.hashes.count == model.count && Set(found.hashes) == model)
            #expect(keys.count == (model.isEmpty ? 0 : 1))
        }
        for hash in model { keys.remove(hash, under: 7) }
        keys.insert(1, under: 8)
        #expect(keys.keys(under: 7).total == 0 && keys.keys(under: 8, limit: 0).hashes == [])
        #expect(keys.keys(under: 8).hashes == [1])
    }
}
