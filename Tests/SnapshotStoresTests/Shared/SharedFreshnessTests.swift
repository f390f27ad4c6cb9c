import CSluiceLookup
import ComponentKit
import Foundation
import StageKit
import StageTestKit
import Testing

@testable import SnapshotStores

@Suite struct SharedFreshnessTests {
    private typealias Word = SharedLayout.Word

    /// A shared store with one session, and a reader.
    private static func make() throws -> (file: SharedDirectory, harness: Harness, reader: SharedReader) {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file)
        _ = try harness.upsert("session-1", 1)
        let reader = try SharedReader(file.path)
        #expect(reader.ask("session-1") == SLUICE_ALLOWED)
        return (file, harness, reader)
    }

    private static func header(_ harness: Harness) throws -> SharedWords { try #require(harness.store.share).header }

    private static func expect(
        _ status: sluice_status, _ reader: SharedReader, location: SourceLocation = #_sourceLocation
    ) {
        let isFresh = status == SLUICE_STATUS_FRESH
        let answer = isFresh ? SLUICE_ALLOWED : SLUICE_STALE
        #expect(reader.ask("session-1") == answer, sourceLocation: location)
        #expect(reader.ask("unknown") == (isFresh ? SLUICE_ABSENT : SLUICE_STALE), sourceLocation: location)
        #expect(reader.get("session-1", "user") == (isFresh ? "u" : nil), sourceLocation: location)
        #expect(reader.state.status == status, sourceLocation: location)
    }

    @Test("A store that is being filled, or was not confirmed within the limit, is stale")
    func freshness() throws {
        let (file, harness, reader) = try Self.make()
        defer { withExtendedLifetime(file) {} }
        let freshness = try #require(harness.store.freshness)
        freshness.setFilling(true)
        Self.expect(SLUICE_STATUS_FILLING, reader)
        freshness.setFilling(false)
        Self.expect(SLUICE_STATUS_FRESH, reader)
        freshness.setLimit(.seconds(3600))
        Self.expect(SLUICE_STATUS_OUTDATED, reader)
        freshness.prove(at: .now - .seconds(3601))
        Self.expect(SLUICE_STATUS_OUTDATED, reader)
        freshness.prove(at: .now - .seconds(1000))
        Self.expect(SLUICE_STATUS_FRESH, reader)
        let age = reader.state.proof_age
        #expect(age >= 1_000_000_000_000 && age < 3_600_000_000_000 && reader.state.proof_limit == 3_600_000_000_000)
        freshness.setLimit(.seconds(999))
        Self.expect(SLUICE_STATUS_OUTDATED, reader)
        freshness.setLimit(nil)
        Self.expect(SLUICE_STATUS_FRESH, reader)
        #expect(reader.state.proof_limit == -1)
    }

    @Test("A dead or stopped worker's store is stale, and clocks that differ are as well")
    func heartbeats() async throws {
        let (file, harness, reader) = try Self.make()
        defer { withExtendedLifetime(file) {} }
        let header = try Self.header(harness)
        let limit = Int64(2_000_000_000)
        #expect(StoreShare.beatLimit == .nanoseconds(limit))
        header[Word.beatLimit] = UInt64(limit)
        func beat(ago age: Int64) { header[Word.beat] = UInt64(bitPattern: StoreShare.now - age) }
        beat(ago: limit + 1)
        Self.expect(SLUICE_STATUS_DEAD, reader)
        await harness.store.beat(cursor: EntryID(milliseconds: 77, sequence: 5))
        header[Word.beatLimit] = UInt64(Int64.max)
        Self.expect(SLUICE_STATUS_FRESH, reader)
        let state = reader.state
        #expect(state.cursor_ms == 77 && state.cursor_seq == 5 && state.entries == 1)
        #expect(state.epoch != 0 && state.pid == UInt64(ProcessInfo.processInfo.processIdentifier))
        // A little later than the reader's clock: another processor wrote it after the reader had looked at its own.
        beat(ago: -500_000_000)
        Self.expect(SLUICE_STATUS_FRESH, reader)
        beat(ago: -3_600_000_000_000)
        Self.expect(SLUICE_STATUS_DEAD, reader)
        for wild in [UInt64.max, .min, 1 << 63, 1 << 62] {
            header[Word.beatLimit] = UInt64(limit)
            header[Word.beat] = wild
            Self.expect(SLUICE_STATUS_DEAD, reader)
        }
    }

    @Test("A proof with each read is a heartbeat, too")
    func proofBeats() throws {
        let (file, harness, reader) = try Self.make()
        defer { withExtendedLifetime(file) {} }
        let header = try Self.header(harness)
        header[Word.beat] = 1 << 63
        Self.expect(SLUICE_STATUS_DEAD, reader)
        try #require(harness.store.freshness).prove(at: .now)
        Self.expect(SLUICE_STATUS_FRESH, reader)
    }

    @Test("A change that does not end makes its shard stale, and others answer")
    func oddVersion() throws {
        let file = try SharedDirectory()
        let harness = try Harness.shared(file, shards: 2)
        let keys = (0..<50).map { Array("session-\($0)".utf8) }
        for (index, key) in keys.enumerated() {
            _ = try harness.upsert(Harness.entry(UInt64(index) + 1), [.bytes(key), .text("u"), .text("active")])
        }
        let reader = try SharedReader(file.path)
        let store = harness.store
        store.shards.change(0) {
            for key in keys {
                let isChanging = store.shards.index(of: store.hasher.hash(key.span)) == 0
                #expect(reader.ask(key) == (isChanging ? SLUICE_STALE : SLUICE_ALLOWED))
                #expect(reader.get(key, ["user"]).answer == (isChanging ? SLUICE_BUSY : SLUICE_ALLOWED))
            }
        }
        #expect(keys.allSatisfy { reader.ask($0) == SLUICE_ALLOWED })
    }

    @Test("A closed file is stale and removed, and the next worker's file is found with the same handle")
    func restart() async throws {
        let (file, first, reader) = try Self.make()
        let epoch = reader.state.epoch
        await first.store.shutDown()
        Self.expect(SLUICE_STATUS_CLOSED, reader)
        #expect(try file.names == [])
        let second = try Harness.shared(file)
        #expect(reader.state.status == SLUICE_STATUS_FRESH && reader.state.epoch != epoch)
        #expect(reader.ask("session-1") == SLUICE_ABSENT)
        _ = try second.upsert("session-1", 1)
        #expect(reader.ask("session-1") == SLUICE_ALLOWED)
        // Nothing of the first store reaches readers any more.
        _ = try first.upsert("session-2", 2)
        #expect(reader.ask("session-2") == SLUICE_ABSENT)
        await first.store.shutDown()
        #expect(try file.names == ["sessions"])
    }

    @Test("Lookups alone find the file that replaces a running worker's, and the replaced worker stops")
    func replacement() async throws {
        let (file, first, reader) = try Self.make()
        // As if another process had created it.
        try Self.header(first)[Word.process] = 1
        let second = try Harness.shared(file)
        _ = try second.upsert("session-2", 2)
        try await wait { reader.ask("session-2") == SLUICE_ALLOWED }
        #expect(reader.ask("session-1") == SLUICE_ABSENT)
        #expect(try Self.header(first)[Word.epoch] != 0)
        await first.store.beat(cursor: nil)
        #expect(try Self.header(first)[Word.epoch] == 0)
        #expect(try file.names == ["sessions"])
    }

    @Test("A file that is removed while the worker runs is reported once, and programs that have mapped it read on")
    func removal() async throws {
        let file = try SharedDirectory()
        let log = RecordingLog()
        let share = StoreShare(ShareSettings(path: file.path, fields: []), logger: log.logger(label: "test"))
        share.header[Word.beatLimit] = UInt64(Int64.max)
        let harness = Harness(conditions: try .named(["active": ["status": ["active"]]]), share: share)
        try harness.store.open()
        _ = try harness.upsert("session-1", 1)
        let reader = try SharedReader(file.path)
        await harness.store.beat(cursor: nil)
        #expect(log.lines.isEmpty)
        #expect(unlink(file.path) == 0)
        for _ in 0..<3 { await harness.store.beat(cursor: nil) }
        #expect(log.lines.map(\.level) == ["error"])
        #expect(log.lines.allSatisfy { $0.metadata["path"] == file.path && $0.message.contains("was removed") })
        #expect(reader.state.status == SLUICE_STATUS_FRESH)
        #expect(reader.ask("session-1") == SLUICE_ALLOWED)
        #expect(try SharedReader(file.path).ask("session-1") == SLUICE_STALE)
        await harness.store.shutDown()
        #expect(reader.ask("session-1") == SLUICE_STALE)
    }

    /// Waits for a condition that must come true.
    private func wait(_ condition: () -> Bool) async throws {
        for _ in 0..<18_000 {
            if condition() { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("it did not happen in three minutes")
    }

    @Test("Unknown names of conditions and fields are never allowed")
    func unknownNames() throws {
        // The store closes its file when it is released.
        let (file, harness, reader) = try Self.make()
        defer { withExtendedLifetime((file, harness)) {} }
        #expect(reader.ask("session-1", "activ") == SLUICE_STALE)
        #expect(reader.ask("session-1", "status") == SLUICE_STALE)
        #expect(reader.get(Array("session-1".utf8), ["active"]).answer == SLUICE_STALE)
        let field = sluice_lookup_field(reader.handle, "status")
        for number in [Int32.min, -3, -1, field, 100, .max] {
            #expect(sluice_lookup_ask(reader.handle, "session-1", 9, number) == SLUICE_STALE)
            #expect(sluice_lookup_get(reader.handle, "session-1", 9, number, nil, 0) == SLUICE_STALE)
        }
        #expect(sluice_lookup_get(reader.handle, "session-1", 9, SLUICE_ANY, nil, 0) == SLUICE_ALLOWED)
        #expect(sluice_lookup_condition(reader.handle, "") == -1)
        #expect(sluice_lookup_condition(reader.handle, String(repeating: "x", count: 256)) == -1)
        for index in 0..<100 { _ = sluice_lookup_condition(reader.handle, "name-\(index)") }
        #expect(sluice_lookup_condition(reader.handle, "one-more") == -1)
        #expect(reader.ask("session-1") == SLUICE_ALLOWED)
    }
}
