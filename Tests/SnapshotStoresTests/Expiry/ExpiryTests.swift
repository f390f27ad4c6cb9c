import ComponentKit
import StageKit
import Testing

@testable import SnapshotStores

extension ExpirySettings {
    /// Settings with a field, a time to live in milliseconds, or both.
    static func expiring(_ field: String? = nil, after milliseconds: Int64? = nil) -> ExpirySettings {
        ExpirySettings(
            field: field.map { LocatedName($0, at: SettingPosition(line: 1, column: 1)) },
            timeToLive: milliseconds.map { .milliseconds($0) })
    }
}

@Suite struct ExpiryTests {
    /// All ways to find a key, which must agree.
    private static func finds(_ key: String, in store: MemoryStore) -> Bool {
        let bytes = Array(key.utf8)
        let marked = store.condition("status", equals: "active")
        let answers: [Bool] = [
            store.check(key, marked) != nil, store.ask(key, marked) != .absent,
            store.check(key, store.condition(named: "unmarked") ?? marked) != nil,
            store.ask(bytes.span, marked) { _ in } != .absent, store.snapshot(for: bytes.span) != nil,
            store.withSnapshot(for: bytes.span) { _ in true } == true,
            store.sortedKeys.contains(key),
        ]
        #expect(Set(answers).count == 1, "\(key): \(answers)")
        return answers[0]
    }

    private static func make(
        _ expiry: ExpirySettings, _ time: ManualTime, maxEntries: Int = 1_000_000, evictions: Int = 100,
        unannounced: Int = ExpiryState.unannouncedLimit, recordMemory: Int = 1 << 30
    ) throws -> Harness {
        Harness(
            maxEntries: maxEntries, evictions: evictions, recordMemory: recordMemory,
            conditions: try .named(["unmarked": ["status": ["active", "revoked"], "user": ["u"]]]), expiry: expiry,
            clock: time.clock, unannounced: unannounced)
    }

    private static func upsert(_ harness: Harness, _ key: String, at time: UInt64, _ expires: Harness.Value = .absent)
        throws -> StoreChange
    {
        try harness.upsert(
            EntryID(milliseconds: time, sequence: 0), [.text(key), .text("u"), .text("active"), .absent, expires])
    }

    @Test("No lookup finds a snapshot from its expiry on, before anything has removed it", arguments: [5, 20, 200])
    func lookups(keyLength: Int) throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring("expires_at", after: 1000), time)
        func key(_ name: String) -> String { name + String(repeating: "-", count: keyLength - name.count) }
        _ = try Self.upsert(harness, key("age"), at: 100)
        _ = try Self.upsert(harness, key("int"), at: 100, .integer(500, text: "500"))
        _ = try Self.upsert(harness, key("text"), at: 100, .text("1970-01-01T00:00:00.7Z"))
        _ = try Self.upsert(harness, key("late"), at: 100, .integer(9999, text: "09999"))
        _ = try Self.upsert(harness, key("bad"), at: 100, .text("soon"))
        for (name, expiry) in [("age", 1100), ("int", 500), ("text", 700), ("late", 1100), ("bad", 0)] {
            time.now = Int64(expiry) - 1
            if name != "bad" { #expect(Self.finds(key(name), in: harness.store), "\(name)") }
            time.now = Int64(expiry)
            #expect(!Self.finds(key(name), in: harness.store), "\(name)")
        }
        #expect(harness.store.count == 5 && harness.store.expiredCount == 0)
        // A newer entry renews one.
        #expect(try Self.upsert(harness, key("age"), at: 5000) == .applied)
        time.now = 5999
        #expect(Self.finds(key("age"), in: harness.store))
    }

    @Test("By the time to live alone, a marked condition needs the record's head only, and answers the same")
    func byEntryAlone() throws {
        let time = ManualTime(1099)
        let harness = try Self.make(.expiring(after: 1000), time)
        _ = try Self.upsert(harness, "session-1", at: 100, .integer(1, text: "1"))
        #expect(Self.finds("session-1", in: harness.store))
        time.now = 1100
        #expect(!Self.finds("session-1", in: harness.store))
        #expect(!Self.finds("unknown-1", in: harness.store))
    }

    @Test("A store without expiry keeps everything, and has nothing to remove")
    func none() async throws {
        let harness = try Self.make(ExpirySettings(), ManualTime(.max))
        _ = try Self.upsert(harness, "k", at: 1, .integer(1, text: "1"))
        #expect(Self.finds("k", in: harness.store) && harness.store.expiring == nil)
        try await harness.store.removeExpired { _ in Issue.record("announced") }
        #expect(!harness.store.makeRoom() && harness.store.count == 1)
    }

    @Test("Expired snapshots are announced, then removed and counted; others stay")
    func sweep() async throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring("expires_at"), time)
        for index in 0..<200 {
            _ = try Self.upsert(
                harness, "k\(index)", at: UInt64(index), .integer(Int64(index) * 10, text: "\(index * 10)"))
        }
        _ = try Self.upsert(harness, "forever", at: 300)
        time.now = 995
        var announced: [ExpiredSnapshot] = []
        try await harness.store.removeExpired { page in
            #expect(harness.store.count == 201 - announced.count)
            announced += page
        }
        let expected = (0..<100).map {
            ExpiredSnapshot(key: Array("k\($0)".utf8), entry: EntryID(milliseconds: UInt64($0), sequence: 0))
        }
        #expect(announced.sorted { $0.entry < $1.entry } == expected)
        #expect(harness.store.count == 101 && harness.store.expiredCount == 100)
        #expect(Self.finds("k100", in: harness.store) && Self.finds("forever", in: harness.store))
        try await harness.store.removeExpired { _ in Issue.record("announced again") }
        time.now = 1000
        try await harness.store.removeExpired { #expect($0.map(\.key) == [Array("k100".utf8)]) }
        #expect(harness.store.count == 100 && harness.store.expiredCount == 101)
    }

    @Test("What cannot be announced stays, is not found, and is announced by the next call")
    func failingAnnouncement() async throws {
        struct Down: Error {}
        let time = ManualTime(0)
        let harness = try Self.make(.expiring(after: 10), time)
        _ = try Self.upsert(harness, "k", at: 5)
        time.now = 15
        await #expect(throws: Down.self) { try await harness.store.removeExpired { _ in throw Down() } }
        #expect(harness.store.count == 1 && harness.store.expiredCount == 0)
        #expect(!Self.finds("k", in: harness.store))
        var announced = 0
        try await harness.store.removeExpired { announced += $0.count }
        #expect(announced == 1 && harness.store.count == 0)
    }

    @Test("A snapshot that is renewed while it is announced stays, and an eviction meanwhile is not undone")
    func renewedMeanwhile() async throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring(after: 10), time)
        for key in ["renewed", "evicted", "gone"] { _ = try Self.upsert(harness, key, at: 5) }
        time.now = 15
        try await harness.store.removeExpired { page in
            for snapshot in page {
                switch String(decoding: snapshot.key, as: UTF8.self) {
                case "renewed":
                    let change = try Self.upsert(harness, "renewed", at: 14)
                    #expect(change == .applied)
                case "evicted":
                    let change = try harness.evict("evicted", 3 * 14)
                    #expect(change == .applied)
                default: break
                }
            }
        }
        #expect(Self.finds("renewed", in: harness.store))
        #expect(harness.store.count == 1 && harness.store.expiredCount == 1)
        #expect(try Self.upsert(harness, "evicted", at: 13) == .older)
    }

    @Test("Neither its own entry nor an older one brings an expired session back; a newer one does")
    func monotonic() async throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring("expires_at"), time, evictions: 2)
        _ = try Self.upsert(harness, "a", at: 10, .integer(50, text: "50"))
        time.now = 50
        try await harness.store.removeExpired { _ in }
        #expect(harness.store.evictingEntry(for: Array("a".utf8).span) == EntryID(milliseconds: 10, sequence: 0))
        for entry in [8, 10] as [UInt64] {
            #expect(try Self.upsert(harness, "a", at: entry, .integer(999, text: "999")) == .older)
        }
        #expect(!Self.finds("a", in: harness.store))
        // Two more expire: the first is forgotten, and the floor of the stream rises to its entry.
        for (key, entry) in [("b", 11), ("c", 12)] as [(String, UInt64)] {
            _ = try Self.upsert(harness, key, at: entry, .integer(1, text: "1"))
        }
        try await harness.store.removeExpired { _ in }
        for key in ["a", "never-seen"] {
            #expect(try Self.upsert(harness, key, at: 10, .integer(999, text: "999")) == .older)
        }
        #expect(try Self.upsert(harness, "a", at: 13, .integer(999, text: "999")) == .applied)
        #expect(Self.finds("a", in: harness.store))
    }

    @Test("A full store removes expired snapshots instead of refusing new ones, and refuses when there are none")
    func makesRoom() async throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring("expires_at"), time, maxEntries: 3)
        for (key, expires) in [("a", 100), ("b", 200), ("c", 300)] as [(String, Int64)] {
            _ = try Self.upsert(harness, key, at: 1, .integer(expires, text: "\(expires)"))
        }
        time.now = 99
        #expect(throws: StageFailure("store \"sessions\" is full: max_entries is 3")) {
            try Self.upsert(harness, "d", at: 2)
        }
        time.now = 100
        #expect(try Self.upsert(harness, "d", at: 2) == .applied)
        #expect(harness.store.count == 3 && harness.store.expiredCount == 1)
        #expect(throws: StageFailure.self) { try Self.upsert(harness, "e", at: 2) }
        time.now = 300
        #expect(try Self.upsert(harness, "e", at: 3) == .applied)
        #expect(try Self.upsert(harness, "f", at: 3) == .applied)
        #expect(throws: StageFailure.self) { try Self.upsert(harness, "g", at: 3) }
        #expect(try Self.upsert(harness, "a", at: 1) == .older)
        // Those that made room are announced as well.
        var announced: [String] = []
        try await harness.store.removeExpired { announced += $0.map { String(decoding: $0.key, as: UTF8.self) } }
        #expect(announced.sorted() == ["a", "b", "c"])
        try await harness.store.removeExpired { _ in Issue.record("announced again") }
    }

    @Test("A store without memory makes room, and no older entry restores a removed snapshot")
    func makesRoomInMemory() throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring("expires_at"), time, recordMemory: 4 << 20)
        let user = Harness.Value.text(String(repeating: "x", count: 4000))
        func upsert(_ key: Int, _ entry: UInt64, _ expires: Int64) throws -> StoreChange {
            try harness.upsert(
                EntryID(milliseconds: entry, sequence: 0),
                [.text("key-\(key)"), user, .text("active"), .absent, .integer(expires, text: "\(expires)")])
        }
        var count = 0
        #expect(throws: StageFailure.self) {
            while true {
                _ = try upsert(count, 10, 100)
                count += 1
            }
        }
        time.now = 100
        for key in 0..<count { #expect(try upsert(10_000 + key, 20, 1000) == .applied) }
        #expect(harness.store.expiredCount == count && harness.store.count == count)
        for key in 0..<count { #expect(try upsert(key, 10, 1000) == .older) }
    }

    @Test("A store does not remove more than it can announce")
    func unannounced() async throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring(after: 10), time, maxEntries: 4, unannounced: 2)
        for key in 0..<4 { _ = try Self.upsert(harness, "old-\(key)", at: 1) }
        time.now = 20
        for key in 0..<2 { #expect(try Self.upsert(harness, "new-\(key)", at: 15) == .applied) }
        #expect(throws: StageFailure.self) { try Self.upsert(harness, "new-2", at: 15) }
        var announced = 0
        try await harness.store.removeExpired { announced += $0.count }
        #expect(announced == 4 && harness.store.expiredCount == 4)
        #expect(try Self.upsert(harness, "new-2", at: 15) == .applied)
    }

    @Test("A mass expiry is removed in bounded pages")
    func manyAtOnce() async throws {
        let time = ManualTime(0)
        let harness = try Self.make(.expiring(after: 10), time, evictions: 1000)
        let count = 20_000
        for key in 0..<count { _ = try Self.upsert(harness, "key-\(key)", at: 1) }
        time.now = 11
        var announced: Set<[UInt8]> = []
        try await harness.store.removeExpired { page in
            #expect(page.count <= MemoryStore.ExpiryLimits.page)
            announced.formUnion(page.map(\.key))
        }
        #expect(announced.count == count && harness.store.count == 0)
        // Only the traces that are remembered keep memory.
        #expect(harness.store.changes.withLock { $0.allocations.usedBytes } <= 1000 * 48)
    }
}

extension MemoryStore {
    /// The keys of all snapshots that are listed, as text.
    var sortedKeys: [String] {
        var keys: [String] = []
        self.forEachSnapshot { keys.append(String(decoding: $0.key, as: UTF8.self)) }
        return keys.sorted()
    }
}
