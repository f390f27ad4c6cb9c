import CSluiceLookup
import ComponentKit
import StageKit
import Testing

@testable import SnapshotStores

/// Expiry in the two other places that hold snapshots: checkpoints and shared files.
@Suite struct ExpiryPlacesTests {
    @Test("Snapshots of a checkpoint expire, are announced after a restart, and make room while it is loaded")
    func checkpoints() async throws {
        let time = ManualTime(0)
        let old = Harness(expiry: .expiring("expires_at", after: 1000), clock: time.clock)
        for (key, expires) in [("a", 100), ("b", 200), ("c", 300)] as [(String, Int64)] {
            _ = try old.upsert(
                EntryID(milliseconds: 50, sequence: 0),
                [.text(key), .text("u"), .text("active"), .absent, .integer(expires, text: "\(expires)")])
        }
        time.now = 250
        var bytes: [UInt8] = []
        for shard in 0..<old.store.shardTotal {
            _ = old.store.appendRecords(ofShard: shard, to: &bytes, names: Harness.names.count)
        }
        for maxEntries in [1000, 1] {
            let new = Harness(maxEntries: maxEntries, expiry: .expiring("expires_at", after: 1000), clock: time.clock)
            var cursor = PayloadCursor(bytes)
            let loader = try RecordLoader(new.store, old.store.fieldNames, floor: Harness.entry(1000))
            #expect(try loader.load(&cursor) == 3)
            #expect(new.store.sortedKeys == ["c"])
            #expect(new.store.snapshot(for: "a") == nil)
            var announced: [String] = []
            try await new.store.removeExpired { announced += $0.map { String(decoding: $0.key, as: UTF8.self) } }
            #expect(announced.sorted() == ["a", "b"])
            #expect(new.store.count == 1 && new.store.expiredCount == 2)
        }
    }

    private static func shared(_ expiry: ExpirySettings, _ time: ManualTime) throws -> (
        file: SharedDirectory, harness: Harness, reader: SharedReader
    ) {
        let file = try SharedDirectory()
        var settings = ShareSettings(path: file.path, fields: ["status"])
        settings = settings.including(expiry.field?.text)
        let harness = Harness(
            conditions: try .named(["active": ["status": ["active"]]]), expiry: expiry, clock: time.clock,
            share: SharedDirectory.patient(settings))
        try harness.store.open()
        return (file, harness, try SharedReader(file.path))
    }

    /// Sets the time of the worker and, through a heartbeat, that of its readers.
    private static func set(_ time: ManualTime, _ now: Int64, _ harness: Harness) async {
        time.now = now
        await harness.store.beat(cursor: nil)
    }

    @Test("Other processes find a session until it expires, whatever their own time of day is")
    func sharedByAge() async throws {
        let time = ManualTime(1_000_000)
        let (file, harness, reader) = try Self.shared(.expiring(after: 3_600_000), time)
        defer { withExtendedLifetime(file) {} }
        let header = try #require(harness.store.share).header
        #expect(header[SharedLayout.Word.version] == 2)
        #expect(header[SharedLayout.Word.timeToLive] == 3_600_000 && header[SharedLayout.Word.expiryField] == 0)
        _ = try harness.upsert(
            EntryID(milliseconds: 500_000, sequence: 0), [.text("session-1"), .text("u"), .text("active")])
        #expect(reader.ask("session-1") == SLUICE_ALLOWED && reader.get("session-1", "status") == "active")
        // An hour later for the readers, who count on from the last heartbeat; a minute less is not enough.
        await Self.set(time, 4_100_000 - 60_000, harness)
        #expect(reader.ask("session-1") == SLUICE_ALLOWED)
        await Self.set(time, 4_100_000, harness)
        #expect(reader.ask("session-1") == SLUICE_ABSENT && reader.get("session-1", "status") == nil)
        #expect(reader.get(Array("session-1".utf8), ["status"]).answer == SLUICE_ABSENT)
        try await harness.store.removeExpired { _ in }
        #expect(harness.store.count == 0 && reader.ask("session-1") == SLUICE_ABSENT)
        #expect(harness.store.changes.withLock { $0.hiddenAllocations.usedBytes } == 0)
    }

    @Test("Other processes read the time in the field as the store does", arguments: ExpiryRuleTests.texts)
    func sharedByField(text: String, expiry: Int64?) async throws {
        let time = ManualTime(0)
        let (file, harness, reader) = try Self.shared(.expiring("expires_at"), time)
        defer { withExtendedLifetime(file) {} }
        let entry = EntryID(milliseconds: 1, sequence: 0)
        _ = try harness.upsert(entry, [.text("session-1"), .text("u"), .text("active"), .absent, .text(text)])
        // A minute before and after: the readers' clock goes on meanwhile.
        for (now, isFound) in [(Int64(-60_000), true), (60_000, false)] {
            await Self.set(time, (expiry ?? 0) + now, harness)
            let expected = isFound && expiry != nil
            #expect((harness.store.snapshot(for: "session-1") != nil) == expected)
            // The readers' clock has nanoseconds of 64 bits: 292 years.
            guard abs((expiry ?? 0) + now) < 9_000_000_000_000 else { continue }
            #expect(reader.ask("session-1") == (expected ? SLUICE_ALLOWED : SLUICE_ABSENT))
            #expect(reader.get("session-1", "status") == (expected ? "active" : nil))
        }
    }

    @Test("Other processes read numbers in the field, and a session without the field does not expire by it")
    func sharedNumbers() async throws {
        let time = ManualTime(0)
        let (file, harness, reader) = try Self.shared(.expiring("expires_at", after: 10_000_000), time)
        defer { withExtendedLifetime(file) {} }
        let header = try #require(harness.store.share).header
        #expect(header[SharedLayout.Word.expiryField] == 2)
        let values: [Harness.Value] = [
            .integer(1_000_000, text: "1000000"), .integer(1_000_000, text: "+1000000"), .absent,
        ]
        for (index, value) in values.enumerated() {
            _ = try harness.upsert(
                EntryID(milliseconds: 1, sequence: UInt64(index)),
                [.text("session-\(index)"), .text("u"), .text("active"), .absent, value])
        }
        func answers() -> [sluice_answer] { (0..<3).map { reader.ask("session-\($0)") } }
        await Self.set(time, 900_000, harness)
        #expect(answers() == [SLUICE_ALLOWED, SLUICE_ALLOWED, SLUICE_ALLOWED])
        await Self.set(time, 1_000_000, harness)
        #expect(answers() == [SLUICE_ABSENT, SLUICE_ABSENT, SLUICE_ALLOWED])
        await Self.set(time, 10_000_001, harness)
        #expect(answers() == [SLUICE_ABSENT, SLUICE_ABSENT, SLUICE_ABSENT])
    }

    @Test("The file of a store without expiry has the version that older readers know, others are refused")
    func versions() throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file)
        _ = try harness.upsert("session-1", 1)
        let header = try #require(harness.store.share).header
        #expect(header[SharedLayout.Word.version] == 1)
        // Words that version 1 reserves are not looked at.
        header[SharedLayout.Word.timeToLive] = 1
        header[SharedLayout.Word.expiryField] = 1
        #expect(try SharedReader(file.path).ask("session-1") == SLUICE_ALLOWED)
        for version in [0, 3, 1 << 32, UInt64.max] {
            header[SharedLayout.Word.version] = version
            let reader = try SharedReader(file.path)
            #expect(reader.ask("session-1") == SLUICE_STALE && reader.state.status == SLUICE_STATUS_INCOMPATIBLE)
        }
    }
}
