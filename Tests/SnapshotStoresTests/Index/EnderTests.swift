import ComponentKit
import StageKit
import Testing

@testable import SnapshotStores

@Suite struct EnderTests {
    /// The columns of `Harness`: the value that is matched, and the time.
    private static let (user, time) = (FieldID(index: 1), FieldID(index: 3))
    private static let all = IndexLimit(count: .max, bytes: .max)

    private static func name(_ text: String) -> LocatedName {
        LocatedName(text, at: SettingPosition(line: 1, column: 1))
    }

    /// Ends the snapshots of a user and returns their keys, sorted.
    private func end(
        _ harness: Harness, _ user: String, _ id: EntryID, before: Harness.Value = .absent, of stream: Int = 0,
        by ender: (any SnapshotEnder)? = nil
    ) throws -> [String] {
        let made = harness.store.makeEnder(by: "user", issuedAt: nil)
        let ender = try #require(ender ?? made)
        harness.batch.streamIndex = stream
        var keys: [String] = []
        try Harness.withEvent(harness.batch, id, [.absent, .text(user), .absent, before]) { event in
            let range = event.range(of: Self.user)
            let value = try #require(range)
            try ender.begin(event, value: value, issuedBefore: before == .absent ? nil : Self.time)
            var limit = Self.all
            let isDone = ender.end(&limit) { keys.append(String(decoding: [UInt8](copying: $0), as: UTF8.self)) }
            #expect(isDone)
        }
        return keys.sorted()
    }

    private func session(
        _ harness: Harness, _ key: String, _ user: String, _ id: UInt64, issued: Harness.Value = .absent
    ) throws -> StoreChange {
        try harness.upsert(Harness.entry(id), [.text(key), .text(user), .text("active"), issued])
    }

    private func keys(_ store: MemoryStore, _ user: String) -> [String] {
        let value = Array(user.utf8)
        let found = store.snapshots(by: "user", equal: value.span, limit: Self.all)?.snapshots ?? []
        return found.map { String(decoding: $0.key, as: UTF8.self) }
    }

    @Test("Only older snapshots with the value are ended, and neither an older entry nor a repetition changes that")
    func order() throws {
        let harness = Harness(index: ["user"])
        let sessions: [(String, String, UInt64)] = [("a", "u", 10), ("b", "u", 11), ("c", "v", 12), ("d", "u", 21)]
        for (key, user, id) in sessions {
            #expect(try self.session(harness, key, user, id) == .applied)
        }
        #expect(try self.end(harness, "u", Harness.entry(20)) == ["a", "b"])
        #expect(harness.store.sortedKeys == ["c", "d"] && harness.store.count == 2)
        #expect(self.keys(harness.store, "u") == ["d"])
        #expect(harness.store.evictingEntry(for: "a".utf8.span) == Harness.entry(20))
        // The entry of the event itself is not older than itself.
        #expect(try self.end(harness, "u", Harness.entry(21)) == [])
        // Read again: the later login stays.
        #expect(try self.end(harness, "u", Harness.entry(20)) == [])
        // Entries between the snapshot and its end restore nothing; a later login does.
        #expect(try self.session(harness, "a", "u", 15) == .older)
        #expect(try self.session(harness, "a", "u", 22) == .applied)
        #expect(self.keys(harness.store, "u") == ["a", "d"])
    }

    @Test("An entry that is older than the end of its value stores no new key; those of other values do")
    func late() throws {
        let harness = Harness(index: ["user", "status"])
        #expect(try self.end(harness, "u", Harness.entry(20)) == [])
        #expect(try self.session(harness, "new", "u", 19) == .older)
        #expect(try self.session(harness, "new", "u", 20) == .applied)
        #expect(try self.session(harness, "other", "v", 19) == .applied)
        // The other field has its own values.
        #expect(try harness.upsert(Harness.entry(18), [.text("x"), .text("w"), .text("u")]) == .applied)
        // A snapshot that is held is not replaced by a late one of the ended value.
        #expect(try self.session(harness, "other", "u", 19) == .repeated)
        #expect(try self.session(harness, "third", "v", 5) == .applied)
        #expect(try self.session(harness, "third", "u", 6) == .older)
        #expect(self.keys(harness.store, "v") == ["other", "third"])
        harness.store.removeAll()
        #expect(try self.session(harness, "new", "u", 19) == .applied)
    }

    @Test("If too many ended values are remembered, the floor rises to those that are forgotten")
    func forgotten() {
        var values = EndedValues(limit: 2)
        func covers(_ id: UInt64, _ value: UInt64, stream: Int = 0) -> Bool {
            values.covers(Harness.entry(id), of: stream, value: value, field: 0)
        }
        values.add(Harness.entry(10), of: 0, value: 1, field: 0)
        values.add(Harness.entry(20), of: 0, value: 2, field: 0)
        values.add(Harness.entry(5), of: 1, value: 1, field: 0)
        #expect(covers(9, 7) && !covers(10, 7) && !covers(11, 1))
        #expect(covers(19, 2) && !covers(20, 2) && !covers(19, 7))
        #expect(covers(4, 1, stream: 1) && !covers(4, 2, stream: 1) && !covers(4, 1, stream: 2))
        // An older entry of a known value changes nothing; a newer one counts.
        values.add(Harness.entry(4), of: 1, value: 1, field: 0)
        #expect(covers(4, 1, stream: 1))
        values.add(Harness.entry(9), of: 1, value: 1, field: 0)
        #expect(covers(8, 1, stream: 1))
    }

    @Test(
        "Sessions issued at the time or later remain; a time that is missing or unreadable does not save one",
        arguments: [
            (.integer(1000, text: "1000"), ["no", "old", "text"]), (.text("1000"), ["no", "old", "text"]),
            (.text("1970-01-01T00:00:01Z"), ["no", "old", "text"]), (.integer(0, text: "0"), ["no", "text"]),
            (.integer(1002, text: "1002"), ["at", "later", "no", "old", "text"]),
        ] as [(Harness.Value, [String])])
    func issuedAt(before: Harness.Value, ended: [String]) throws {
        let harness = Harness(index: ["user"])
        let issued: [(String, Harness.Value)] = [
            ("old", .integer(999, text: "999")), ("at", .text("1970-01-01T00:00:01Z")),
            ("later", .integer(1001, text: "1001")), ("no", .absent), ("text", .text("yesterday")),
        ]
        for (key, value) in issued { _ = try self.session(harness, key, "u", 5, issued: value) }
        let ender = try #require(harness.store.makeEnder(by: "user", issuedAt: Self.name("revoked_at_ms")))
        #expect(try self.end(harness, "u", Harness.entry(9), before: before, by: ender) == ended)
        #expect(harness.store.fieldsOfIndex.compared.map(\.text) == ["revoked_at_ms"])
        harness.store.prepareForGraph()
        #expect(harness.store.fieldsOfIndex.compared.isEmpty && !harness.store.isEndedByIndex)
    }

    @Test("Without a field with the time of issue, the time in the id of the last entry counts")
    func entryTime() throws {
        let harness = Harness(index: ["user"])
        for (key, id) in [("a", 29), ("b", 30), ("c", 31)] as [(String, UInt64)] {
            _ = try self.session(harness, key, "u", id)
        }
        // The ids are 9-2, 10-0 and 10-1.
        #expect(try self.end(harness, "u", Harness.entry(90), before: .text("10")) == ["a"])
        #expect(try self.end(harness, "u", Harness.entry(91), before: .text("11")) == ["b", "c"])
    }

    @Test("An event without a time fails, and nothing has changed", arguments: ["", "soon", "2026-11-30"])
    func noTime(text: String) throws {
        let harness = Harness(index: ["user"])
        _ = try self.session(harness, "a", "u", 5)
        #expect(throws: StageFailure.self) { try self.end(harness, "u", Harness.entry(9), before: .text(text)) }
        #expect(harness.store.sortedKeys == ["a"])
        #expect(try self.session(harness, "b", "u", 6) == .applied)
    }

    @Test("However many there are, all are ended, in parts of the caller's limit", arguments: [UInt64.max, 0])
    func parts(mask: UInt64) throws {
        let harness = Harness(mask: mask, shards: 1, index: ["user"])
        let count = mask == 0 ? 40 : 1000
        for key in 0..<count { _ = try harness.upsert("key-\(key)", UInt64(key) + 1) }
        _ = try harness.upsert("new", 90_000)
        let ender = try #require(harness.store.makeEnder(by: "user", issuedAt: nil))
        var (ended, calls) = (0, 0)
        try Harness.withEvent(harness.batch, Harness.entry(80_000), [.absent, .text("u")]) { event in
            let range = event.range(of: Self.user)
            try ender.begin(event, value: try #require(range), issuedBefore: nil)
            var isDone = false
            while !isDone {
                var limit = IndexLimit(count: 100, bytes: .max)
                isDone = ender.end(&limit) { _ in ended += 1 }
                if mask == .max { #expect(limit.count >= 0) }
                calls += 1
            }
        }
        #expect(ended == count && harness.store.sortedKeys == ["new"])
        // One call more if the newer snapshot comes last.
        #expect((mask == 0 ? 1...1 : 10...11).contains(calls))
    }

    @Test("Of another stream's snapshots only the time of issue counts")
    func streams() throws {
        let harness = Harness(index: ["user"])
        harness.store.setStreams(["a", "b"])
        harness.batch.streamIndex = 0
        _ = try self.session(harness, "early", "u", 30)
        _ = try self.session(harness, "late", "u", 300)
        #expect(try self.end(harness, "u", Harness.entry(3), before: .text("50"), of: 1) == ["early"])
        #expect(try self.end(harness, "u", Harness.entry(4), of: 1) == ["late"])
        #expect(harness.store.count == 0)
    }

    @Test("A checkpoint contains ended snapshots until they are announced, unless the key was stored again")
    func unannounced() throws {
        let harness = Harness(index: ["user"])
        for (key, id) in [("a", 5), ("b", 6), ("c", 7)] as [(String, UInt64)] {
            _ = try self.session(harness, key, "u", id)
        }
        let ender = try #require(harness.store.makeEnder(by: "user", issuedAt: nil))
        #expect(try self.end(harness, "u", Harness.entry(10), by: ender) == ["a", "b", "c"])
        _ = try self.session(harness, "b", "v", 11)
        // Another stage has announced its own.
        try #require(harness.store.makeEnder(by: "user", issuedAt: nil)).announced()
        let before = try Self.loaded(harness)
        #expect(before.store.sortedKeys == ["a", "b", "c"])
        #expect(self.keys(before.store, "u") == ["a", "c"] && self.keys(before.store, "v") == ["b"])
        // Read again after the restart, the same event ends them again.
        #expect(try self.end(before, "u", Harness.entry(10)) == ["a", "c"])
        ender.announced()
        #expect(try Self.loaded(harness).store.sortedKeys == ["b"])
    }

    private static func loaded(_ old: Harness) throws -> Harness {
        let new = Harness(index: ["user"])
        var bytes: [UInt8] = []
        for shard in 0..<old.store.shardTotal {
            _ = old.store.appendRecords(ofShard: shard, to: &bytes, names: old.store.fieldNames.count)
        }
        var cursor = PayloadCursor(bytes)
        _ = try RecordLoader(new.store, old.store.fieldNames, floor: Harness.entry(9)).load(&cursor)
        return new
    }

    @Test("Observers are notified of each key that is ended")
    func observed() throws {
        final class Recorder: SnapshotObserver {
            let keys = OrderedMutex<[String]>([])
            func snapshotChanged(_ key: Span<UInt8>) {
                let text = String(decoding: [UInt8](copying: key), as: UTF8.self)
                self.keys.withLock { $0.append(text) }
            }
            func snapshotsReset() {}
        }
        let store = MemoryStore(
            name: "sessions", keyField: "id", index: [Self.name("user")], isObserved: true)
        let (recorder, batch) = (Recorder(), EventBatch())
        #expect(store.observe(recorder))
        let writer = Harness.writer(of: store)
        try Harness.withEvent(batch, Harness.entry(5), [.text("a"), .text("u")]) { _ = try writer.upsert($0) }
        let ender = try #require(store.makeEnder(by: "user", issuedAt: nil))
        try Harness.withEvent(batch, Harness.entry(6), [.absent, .text("u")]) { event in
            let range = event.range(of: Self.user)
            try ender.begin(event, value: try #require(range), issuedBefore: nil)
            var limit = Self.all
            _ = ender.end(&limit) { _ in }
        }
        #expect(recorder.keys.withLock { $0 } == ["a", "a"])
        #expect(store.makeEnder(by: "id", issuedAt: nil) == nil)
    }
}
