import CSluiceLookup
import Foundation
import StageKit
import Testing

@testable import SnapshotStores

@Suite struct SharedStoreTests {
    @Test(
        "Other processes get the answers of the store, for keys of any length",
        arguments: [0, 1, 3, 7, 8, 9, 12, 13, 16, 17, 36, 126, 127, 128, 300, 20_000])
    func answers(length: Int) throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file)
        let reader = try SharedReader(file.path)
        let key = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        #expect(reader.ask(key) == SLUICE_ABSENT)
        _ = try harness.upsert(Harness.entry(1), [.bytes(key), .text("u"), .text("active")])
        #expect(reader.ask(key) == SLUICE_ALLOWED)
        #expect(reader.ask(key, "known") == SLUICE_ALLOWED)
        #expect(reader.get(key, ["status"], condition: "active").values == [Array("active".utf8)])
        for index in [0, length / 2, length - 1] where length > 0 {
            var other = key
            other[index] ^= 0x80
            #expect(reader.ask(other) == SLUICE_ABSENT)
        }
        #expect(reader.ask(key + [0]) == SLUICE_ABSENT)
        _ = try harness.upsert(Harness.entry(2), [.bytes(key), .text("u"), .text("revoked")])
        #expect(reader.ask(key) == SLUICE_REFUSED)
        #expect(reader.ask(key, "known") == SLUICE_ALLOWED)
        #expect(reader.get(key, ["user"], condition: "active").answer == SLUICE_REFUSED)
        _ = try Harness.withEvent(harness.batch, Harness.entry(3), [.bytes(key)]) { try harness.writer.evict($0) }
        #expect(reader.ask(key) == SLUICE_ABSENT)
        #expect(reader.get(key, ["status"]).answer == SLUICE_ABSENT)
    }

    @Test("Values keep the bytes they were written with, cut at the capacity")
    func values() throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file, fields: ["user", "revoked_at_ms", "id"])
        let reader = try SharedReader(file.path)
        let long = [UInt8](repeating: 0xE4, count: 5000)
        let numbers: [(Int64, String)] = [(0, "0"), (-5, "-0005"), (.min, "\(Int64.min)"), (.max, "\(Int64.max)")]
        for (index, number) in numbers.enumerated() {
            let values: [Harness.Value] = [
                .text("k"), .bytes(long), .absent, .integer(number.0, text: number.1),
            ]
            _ = try harness.upsert(Harness.entry(UInt64(index + 1)), values)
            let (answer, found) = reader.get(Array("k".utf8), ["id", "user", "revoked_at_ms"])
            #expect(answer == SLUICE_ALLOWED)
            #expect(found == [Array("k".utf8), long, Array(number.1.utf8)])
        }
        #expect(reader.get(Array("k".utf8), ["user"], capacity: 10).values == [Array(long.prefix(10))])
        _ = try harness.upsert(Harness.entry(9), [.integer(42, text: "042")])
        #expect(reader.get(Array("042".utf8), ["id", "user"]).values == [Array("042".utf8), nil])
    }

    @Test("Fields that are not shared are visible only in the process")
    func hiddenFields() throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file, fields: ["status"])
        let reader = try SharedReader(file.path)
        for round in UInt64(1)...3 {
            for key in 0..<200 {
                let user = "secret-of-\(key)-" + String(repeating: "x", count: Int(round) * key)
                let values: [Harness.Value] = [
                    .text("session-\(key)"), .text(user), .text("active"), .integer(-7, text: "-07"),
                ]
                _ = try harness.upsert(EntryID(milliseconds: round, sequence: UInt64(key)), values)
                let snapshot = try #require(harness.store.snapshot(for: "session-\(key)"))
                #expect(snapshot["user"] == user && snapshot["revoked_at_ms"] == "-07")
                #expect(snapshot["status"] == "active" && snapshot["id"] == "session-\(key)")
                #expect(reader.ask("session-\(key)") == SLUICE_ALLOWED)
                #expect(reader.get("session-\(key)", "status") == "active")
            }
        }
        #expect(reader.get(Array("session-1".utf8), ["user"]).answer == SLUICE_STALE)
        let isSecret = harness.store.condition("user", equals: "secret-of-5-" + String(repeating: "x", count: 15))
        #expect(harness.store.check("session-5", isSecret) == true)
        #expect(harness.store.check("session-6", isSecret) == false)
        #expect(try !Self.committedBytes(file.path).contains("secret-of"))
        // Evicted records return all of their memory.
        for key in 0..<200 { _ = try harness.evict("session-\(key)", 100 + UInt64(key)) }
        #expect(harness.store.changes.withLock { $0.hiddenAllocations.usedBytes } == 0)
        harness.store.removeAll()
        #expect(harness.store.usedBytes == 0)
    }

    /// The parts of a sparse file that have space, as text.
    private static func committedBytes(_ path: String) throws -> String {
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
        var text = ""
        var offset = lseek(file.fileDescriptor, 0, 3 /* SEEK_DATA */)
        while offset >= 0 {
            let end = lseek(file.fileDescriptor, offset, 4 /* SEEK_HOLE */)
            try file.seek(toOffset: UInt64(offset))
            let bytes = try #require(try file.read(upToCount: end - offset))
            text += String(decoding: bytes.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
            offset = lseek(file.fileDescriptor, end, 3)
        }
        try #require(text.contains("session-1"))
        return text
    }

    @Test("A store that was emptied is empty for other processes, and can be filled again")
    func emptying() throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file)
        let reader = try SharedReader(file.path)
        for round in UInt64(0)..<3 {
            for key in UInt64(0)..<5000 { _ = try harness.upsert("session-\(key)", round * 10_000 + key + 1) }
            #expect((0..<5000).allSatisfy { reader.ask("session-\($0)") == SLUICE_ALLOWED })
            harness.store.removeAll()
            #expect((0..<5000).allSatisfy { reader.ask("session-\($0)") == SLUICE_ABSENT })
            #expect(harness.store.count == 0)
        }
        for key in UInt64(0)..<500 { _ = try harness.upsert("session-\(key)", 100_000 + key) }
        harness.store.removeSnapshots(before: Harness.entry(100_250))
        #expect((0..<500).allSatisfy { (reader.ask("session-\($0)") == SLUICE_ALLOWED) == ($0 >= 250) })
    }

    @Test("The content of a store at the time its file is created is shared as well")
    func openingLate() throws {
        let file = try SharedDirectory()
        let harness = Harness(
            conditions: try .named(["active": ["status": ["active"]]]), share: file.share(["status"]))
        for key in UInt64(0)..<3000 { _ = try harness.upsert("session-\(key)", key + 1) }
        let reader = try SharedReader(file.path)
        #expect(reader.ask("session-1") == SLUICE_STALE)
        #expect(reader.state.status == SLUICE_STATUS_MISSING)
        try harness.store.open()
        #expect(reader.state.status == SLUICE_STATUS_FRESH)
        #expect((0..<3000).allSatisfy { reader.ask("session-\($0)") == SLUICE_ALLOWED })
        #expect(harness.store.snapshot(for: "session-7")?["user"] == "u")
    }

    @Test("A store that must stay private creates no file")
    func keptPrivate() throws {
        let file = try SharedDirectory()
        let harness = Harness(share: file.share([]))
        harness.store.keepPrivate()
        try harness.store.open()
        #expect(try file.names == [])
    }

    @Test("A checkpoint has all fields of a shared store, and a shared store is filled from one")
    func checkpoints() throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file, fields: ["status"])
        for key in UInt64(0)..<50 { _ = try harness.upsert("session-\(key)", key + 1) }
        var bytes: [UInt8] = []
        let names = harness.store.fieldNames
        for shard in 0..<harness.store.shardTotal {
            _ = harness.store.appendRecords(ofShard: shard, to: &bytes, names: names.count)
        }
        let other = try SharedDirectory()
        let loaded = try Harness.shared(other, fields: ["user"])
        let private_ = Harness()
        for store in [loaded.store, private_.store] {
            let loader = try RecordLoader(store, names, floor: Harness.entry(1000))
            var cursor = PayloadCursor(bytes)
            #expect(try loader.load(&cursor) == 50)
            for key in 0..<50 {
                let snapshot = try #require(store.snapshot(for: "session-\(key)"))
                #expect(snapshot["status"] == "active" && snapshot["user"] == "u")
            }
        }
        let reader = try SharedReader(other.path)
        #expect((0..<50).allSatisfy { reader.ask("session-\($0)") == SLUICE_ALLOWED })
        #expect(reader.get("session-3", "user") == "u")
        #expect(reader.get(Array("session-3".utf8), ["status"]).answer == SLUICE_STALE)
    }
}
