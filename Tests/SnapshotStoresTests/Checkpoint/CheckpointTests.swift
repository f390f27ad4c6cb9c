import ComponentKit
import CoreMetrics
import Foundation
import Logging
import StageKit
import Testing

@testable import Checkpoints
@testable import SnapshotStores

@Suite struct CheckpointTests {
    private static let header = CheckpointFormat.Header(
        definition: "d", cursor: EntryID(milliseconds: 1000, sequence: 0), bookmark: "p")

    /// A store with some sessions, evictions, numbers and a long record.
    private static func filled(_ count: Int = 50, shards: Int = 4) throws -> Harness {
        let harness = Harness(shards: shards)
        for index in 0..<count {
            let id = EntryID(milliseconds: UInt64(index + 1), sequence: 0)
            let values: [Harness.Value] = [
                .text("k\(index)"), .text("u"), .text(index % 3 == 0 ? "revoked" : "active"),
                index % 2 == 0 ? .integer(Int64(index) - 25, text: "\(index - 25)") : .integer(7, text: "+007"),
            ]
            #expect(try harness.upsert(id, values) == .applied)
        }
        _ = try harness.upsert(
            EntryID(milliseconds: 500, sequence: 0), [.text("long"), .bytes([UInt8](repeating: 0xFF, count: 40_000))])
        _ = try Harness.withEvent(harness.batch, EntryID(milliseconds: 600, sequence: 0), [.text("k7")]) {
            try harness.writer.evict($0)
        }
        return harness
    }

    private static func file(_ stores: [MemoryStore]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try withoutActuallyEscaping({ (piece: [UInt8]) in bytes += piece }) { write in
            var writer = try CheckpointWriter(Self.header, to: write)
            for store in stores { try writer.add(store) { true } }
            try writer.finish()
        }
        return bytes
    }

    private static func load(_ bytes: [UInt8], into stores: [MemoryStore]) throws -> CheckpointFormat.Header {
        var rest = bytes[...]
        return try withoutActuallyEscaping({ (count: Int) -> [UInt8] in
            defer { rest = rest.dropFirst(count) }
            return Array(rest.prefix(count))
        }) { read in
            var reader = try CheckpointReader(from: read)
            let header = try reader.header()
            try reader.records(into: stores, cursor: header.cursor)
            return header
        }
    }

    private static func content(_ store: MemoryStore) -> [[UInt8]: Snapshot] {
        var found: [[UInt8]: Snapshot] = [:]
        store.forEachSnapshot { found[$0.key] = $0 }
        return found
    }

    @Test("A checkpoint survives a round trip, whatever the stores' shards and field order")
    func roundTrip() throws {
        let old = try Self.filled()
        let bytes = try Self.file([old.store])
        let new = Harness(shards: 16)
        #expect(try Self.load(bytes, into: [new.store]) == Self.header)
        #expect(Self.content(new.store) == Self.content(old.store) && new.store.count == old.store.count)
        let renumbered = MemoryStore(name: "sessions", keyField: "id")
        _ = renumbered.makeWriter(
            key: FieldID(index: 0), fields: [("revoked_at_ms", FieldID(index: 3)), ("id", FieldID(index: 0))])
        _ = try Self.load(bytes, into: [renumbered])
        let snapshots = Self.content(renumbered)
        #expect(snapshots.count == old.store.count)
        for (key, snapshot) in Self.content(old.store) {
            for field in snapshot.fields { #expect(snapshots[key]?[field.name] == snapshot[field.name]) }
        }
    }

    /// A file as it was written before records had marks: three sessions, the second revoked.
    private static let before = """
        U0xVSUNFQ1ABAAAAAQAAANoAAAATAAAAdjEgOGQxMzRlYzNlM2E5NjBkNgNo5c+LAQAAAAAAAAAAAACvAAAAY3Vyc29yIDE3MDAw
        MDAwMDAwMDMtMApnZW5lcmF0ZWQgMTcwMDAwMDAwMDAwMy0wCnBvc2l0aW9uIDMKZGVsZXRlZCAwLTAKc2VlbiB0cnVlCmFuY2hv
        cmVkIHRydWUKc2VydmVyIDk2ZjU2NWYzNzAxZTQ3ODE0MWQyOWY5ZWM3MTZlODA0YWJkYWJjZWUKc3RyZWFtIDAgZ2F0ZXdheTpz
        ZXNzaW9uX2V2ZW50c2/1PDh9aI2wAgAAAHUAAAAIAAAAc2Vzc2lvbnMRAAAAZGV2aWNlX3Nlc3Npb25faWQFAAAAEQAAAGRldmlj
        ZV9zZXNzaW9uX2lkBwAAAHVzZXJfaWQRAAAAY2xpZW50X3B1YmxpY19rZXkGAAAAc3RhdHVzDQAAAHJldm9rZWRfYXRfbXNTWiwQ
        vhS7uAMAAADBAAAAPQAAAAJo5c+LAQAAAAAAAAAAAAAFEHNlc3Npb24tbnVtYmVyLTIAAAEFdQIFcAMdcmV2b2tlZAQCDAAAAAAA
        AAA8AAAAAWjlz4sBAAAAAAAAAAAAAAUQc2Vzc2lvbi1udW1iZXItMQAAAQV1AgVwAxlhY3RpdmUEAgsAAAAAAAAAPAAAAANo5c+L
        AQAAAAAAAAAAAAAFEHNlc3Npb24tbnVtYmVyLTMAAAEFdQIFcAMZYWN0aXZlBAINAAAAAAAAAKp6qNZbiDdWBAAAAAgAAAADAAAA
        AAAAAMMZeI89T3bO
        """

    @Test("A file of the format without conditions is read like any other")
    func fileOfBefore() throws {
        let bytes = try #require(Data(base64Encoded: Self.before, options: .ignoreUnknownCharacters))
        let store = MemoryStore(name: "sessions", keyField: "device_session_id")
        let isActive = store.condition("status", equals: "active")
        let header = try Self.load([UInt8](bytes), into: [store])
        #expect(header.cursor == EntryID(milliseconds: 1_700_000_000_003, sequence: 0))
        #expect((1...3).map { store.check("session-number-\($0)", isActive) } == [true, false, true])
        #expect(store.snapshot(for: "session-number-3")?.integer("revoked_at_ms") == 13)
        #expect(store.count == 3)
    }

    @Test("Conditions hold for loaded records, whatever conditions the saved store had")
    func conditions() throws {
        let old = Harness()
        _ = old.store.condition("user", equals: "u")
        for index in 0..<20 {
            _ = try old.upsert("a-session-\(index)", UInt64(index + 1), status: index % 2 == 0 ? "active" : "revoked")
        }
        let bytes = try Self.file([old.store])
        let new = Harness()
        let (isRevoked, isActive) = (
            new.store.condition("status", equals: "revoked"), new.store.condition("status", equals: "active")
        )
        _ = try Self.load(bytes, into: [new.store])
        for index in 0..<20 {
            #expect(new.store.check("a-session-\(index)", isActive) == (index % 2 == 0))
            #expect(new.store.check("a-session-\(index)", isRevoked) == (index % 2 == 1))
        }
    }

    @Test("After a load, an entry up to the cursor changes no record and restores no key")
    func monotonic() throws {
        let new = Harness()
        _ = try Self.load(try Self.file([try Self.filled().store]), into: [new.store])
        func upsert(_ key: String, _ id: UInt64) throws -> StoreChange {
            try new.upsert(EntryID(milliseconds: id, sequence: 0), [.text(key), .text("u"), .text("active")])
        }
        #expect(try upsert("k7", 8) == .older)
        #expect(try upsert("k7", 1000) == .older)
        #expect(try upsert("k3", 4) == .repeated)
        #expect(try upsert("k3", 3) == .older)
        #expect(try upsert("k7", 1001) == .applied)
        #expect(try upsert("k3", 1001) == .applied)
    }

    @Test("A file that is truncated anywhere or has any byte changed is refused without a crash")
    func damaged() throws {
        let bytes = try Self.file([try Self.filled(5).store])
        var generator = SplitMix64(state: 7)
        for length in [0, 5, 12, 20] + (0..<200).map({ _ in Int(generator.next() % UInt64(bytes.count)) }) {
            #expect(throws: CheckpointFailure.self) { try Self.load(Array(bytes[..<length]), into: [Harness().store]) }
        }
        for _ in 0..<300 {
            var changed = bytes
            changed[Int(generator.next() % UInt64(bytes.count))] ^= UInt8(1 << (generator.next() % 8))
            #expect(throws: CheckpointFailure.self) { try Self.load(changed, into: [Harness().store]) }
        }
        #expect(throws: CheckpointFailure.self) { try Self.load(bytes + [0], into: [Harness().store]) }
    }

    /// Puts the right checksums into a file that was changed, as somebody who means to deceive would.
    private static func signed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var (offset, index) = (CheckpointFormat.preambleSize, UInt64(0))
        while offset + 8 <= bytes.count {
            let count = bytes[(offset + 4)..<(offset + 8)].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard offset + 16 + count <= bytes.count else { break }
            let end = offset + 8 + count
            var sum: [UInt8] = []
            sum.append(number: XXHash64.hash(bytes.span.bytes.extracting(offset..<end), seed: index))
            bytes.replaceSubrange(end..<(end + 8), with: sum)
            (offset, index) = (end + 8, index + 1)
        }
        return bytes
    }

    @Test("Any bytes with valid checksums are read or refused, and loaded records can be read")
    func hostile() throws {
        let bytes = try Self.file([try Self.filled(20).store])
        var generator = SplitMix64(state: 11)
        var (read, refused) = (0, 0)
        for _ in 0..<Harness.rounds(600) {
            var changed = bytes
            for _ in 0...(generator.next() % 4) {
                let location = 12 + Int(generator.next() % UInt64(min(2400, bytes.count - 12)))
                changed[location] = UInt8(truncatingIfNeeded: generator.next())
            }
            let store = Harness().store
            do {
                _ = try Self.load(Self.signed(changed), into: [store])
                read += 1
            } catch is CheckpointFailure {
                refused += 1
            }
            store.forEachSnapshot { #expect($0.key.count < 64 << 10) }
        }
        #expect(read > 0 && refused > 0, "\(read) read, \(refused) refused")
    }

    @Test("A file of other stores is refused")
    func otherStores() throws {
        let bytes = try Self.file([try Self.filled().store])
        let other = MemoryStore(name: "other", keyField: "id")
        #expect(throws: CheckpointFailure.self) { try Self.load(bytes, into: [other]) }
        #expect(throws: CheckpointFailure.self) { try Self.load(bytes, into: [Harness().store, other]) }
        #expect(throws: CheckpointFailure.self) { try Self.load(bytes, into: []) }
        #expect(throws: CheckpointFailure.self) {
            try Self.load(bytes, into: [MemoryStore(name: "sessions", keyField: "user")])
        }
        #expect(throws: CheckpointFailure.self) {
            try Self.load(bytes, into: [MemoryStore(name: "sessions", keyField: "id", maxEntries: 3)])
        }
    }

    @Test(
        "The checksum is XXH64",
        arguments: [
            ("", UInt64(0xEF46_DB37_51D8_E999)), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ])
    func checksum(text: String, expected: UInt64) {
        #expect(XXHash64.hash(Array(text.utf8).span.bytes, seed: 0) == expected)
    }

    // MARK: Files

    private static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private func withFolder(_ body: (URL) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "sluice-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try await body(folder)
    }

    private func keeper(
        _ path: String, _ stores: [MemoryStore], definition: String = "d", previous: String? = nil,
        leavesNotice: Bool = false
    ) -> FileCheckpoint {
        FileCheckpoint(
            CheckpointSettings(path: path), stores: stores, definition: definition, previousDefinition: previous,
            logger: Self.silent, metrics: NOOPMetricsHandler.instance, leavesNotice: leavesNotice)
    }

    @Test("If stores outlive the process, a removed checkpoint is remembered until the next save")
    func mark() async throws {
        try await self.withFolder { folder async throws in
            let path = folder.appendingPathComponent("c").path
            let keeper = self.keeper(path, [], leavesNotice: true)
            #expect(try keeper.load() == nil)
            await keeper.save { SourceBookmark(epoch: 1, cursor: .zero, text: "here") }
            keeper.discard()
            let failure = #expect(throws: CheckpointFailure.self) { try self.keeper(path, []).load() }
            #expect(failure?.description.contains("entries were lost") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["c"])
            await keeper.save { SourceBookmark(epoch: 2, cursor: .zero, text: "there") }
            #expect(try self.keeper(path, []).load() == "there")
        }
    }

    @Test("A checkpoint is saved, loaded and removed; one of another pipeline is refused and leaves the stores empty")
    func keeping() async throws {
        try await self.withFolder { folder in
            let path = folder.appendingPathComponent("c").path
            let old = try Self.filled()
            #expect(try self.keeper(path, [old.store]).load() == nil)
            let keeper = self.keeper(path, [old.store])
            await keeper.save { SourceBookmark(epoch: 1, cursor: Self.header.cursor, text: "here") }
            let new = Harness()
            #expect(try self.keeper(path, [new.store]).load() == "here")
            #expect(Self.content(new.store) == Self.content(old.store))
            #expect(try self.keeper(path, [Harness().store], definition: "e", previous: "d").load() == "here")
            let other = Harness()
            #expect(throws: CheckpointFailure.self) { try self.keeper(path, [other.store], definition: "e").load() }
            #expect(other.store.count == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["c"])
            keeper.discard()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
            keeper.discard()
        }
    }

    @Test("For other stores only the states of stages are loaded, with the position; damage discards these too")
    func otherStores() async throws {
        try await self.withFolder { folder in
            let path = folder.appendingPathComponent("c").path
            let keeper = self.keeper(path, [try Self.filled().store])
            let states = [SavedStage(name: "totals", state: [1, 2, 3]), SavedStage(name: "others", state: [])]
            await keeper.save(
                { SourceBookmark(epoch: 1, cursor: Self.header.cursor, text: "here") }, stages: { states })
            let new = Harness()
            let other = self.keeper(path, [new.store], definition: "e")
            let failure = #expect(throws: CheckpointFailure.self) { try other.load() }
            #expect(failure?.bookmark == "here" && failure?.description.contains("differ") == true)
            #expect(new.store.count == 0)
            #expect(other.takeStages() == states && other.takeStages() == [])
            let saved = try SavedCheckpoint.read(path)
            #expect(saved == SavedCheckpoint(definition: "d", stages: states))
            #expect(try SavedCheckpoint.read(folder.appendingPathComponent("none").path) == nil)
            var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
            bytes[bytes.count - 1] ^= 1
            try bytes.write(to: URL(fileURLWithPath: path))
            let damaged = self.keeper(path, [new.store], definition: "e")
            let damage = #expect(throws: CheckpointFailure.self) { try damaged.load() }
            #expect(damage?.bookmark == nil && damaged.takeStages() == [])
            #expect(throws: CheckpointFailure.self) { _ = try SavedCheckpoint.read(path) }
        }
    }

    @Test("After a reload a checkpoint belongs to the new file, even if the source has not moved since")
    func adopting() async throws {
        try await self.withFolder { folder in
            let path = folder.appendingPathComponent("c").path
            let keeper = self.keeper(path, [try Self.filled().store])
            let bookmark = SourceBookmark(epoch: 1, cursor: Self.header.cursor, text: "here")
            await keeper.save { bookmark }
            keeper.adopt(definition: "e")
            await keeper.save { bookmark }
            let new = Harness()
            #expect(throws: CheckpointFailure.self) { try self.keeper(path, [new.store]).load() }
            #expect(try self.keeper(path, [new.store], definition: "e").load() == "here")
        }
    }

    @Test("Nothing is saved without a position or if the epoch changes during the copy")
    func epochs() async throws {
        try await self.withFolder { folder in
            let path = folder.appendingPathComponent("c").path
            let keeper = self.keeper(path, [try Self.filled().store])
            await keeper.save { nil }
            let asked = OrderedMutex(0)
            await keeper.save {
                let epoch = asked.withLock { count in
                    count += 1
                    return count / 3
                }
                return SourceBookmark(epoch: epoch, cursor: .zero, text: "")
            }
            #expect(asked.withLock { $0 } >= 3)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [])
        }
    }

    @Test("The states of stages are saved and loaded with the stores, also large ones, and each is taken once")
    func stages() async throws {
        try await self.withFolder { folder async throws in
            let path = folder.appendingPathComponent("c").path
            let stages = [
                SavedStage(name: "small", state: [1, 2, 3]), SavedStage(name: "empty", state: []),
                SavedStage(name: "large", state: (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0) }),
            ]
            let bookmark = SourceBookmark(epoch: 1, cursor: Self.header.cursor, text: "here")
            let old = try Self.filled()
            await self.keeper(path, [old.store]).save({ bookmark }, stages: { stages })
            let new = Harness()
            let keeper = self.keeper(path, [new.store])
            #expect(keeper.takeStages() == [])
            #expect(try keeper.load() == "here")
            #expect(Self.content(new.store) == Self.content(old.store))
            #expect(keeper.takeStages() == stages)
            #expect(keeper.takeStages() == [])
        }
    }

    @Test("A changed state is saved even if the position is the same; without states nothing is saved")
    func changedStages() async throws {
        try await self.withFolder { folder async throws in
            let path = folder.appendingPathComponent("c").path
            let keeper = self.keeper(path, [])
            let bookmark = SourceBookmark(epoch: 1, cursor: .zero, text: "here")
            for state in [[1], [2], nil] as [[UInt8]?] {
                await keeper.save({ bookmark }, stages: { state.map { [SavedStage(name: "a", state: $0)] } })
            }
            let again = self.keeper(path, [])
            #expect(try again.load() == "here")
            #expect(again.takeStages() == [SavedStage(name: "a", state: [2])])
        }
    }

    @Test("A failed write leaves the last checkpoint unchanged")
    func unwritable() async throws {
        try await self.withFolder { folder in
            let path = folder.appendingPathComponent("c").path
            let store = try Self.filled().store
            let keeper = self.keeper(path, [store])
            await keeper.save { SourceBookmark(epoch: 1, cursor: .zero, text: "first") }
            // A folder where the new file should go.
            try FileManager.default.createDirectory(atPath: path + ".new", withIntermediateDirectories: false)
            await keeper.save { SourceBookmark(epoch: 1, cursor: .zero, text: "second") }
            let new = Harness()
            #expect(try self.keeper(path, [new.store]).load() == "first")
            for wrong in [folder.path, "/dev/zero"] {
                #expect(throws: CheckpointFailure.self) { try self.keeper(wrong, [new.store]).load() }
            }
        }
    }
}
