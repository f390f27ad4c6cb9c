import StageKit
import Testing

@testable import Checkpoints
@testable import SnapshotStores

@Suite struct SeveralStreamsTests {
    private static let far = EntryID(milliseconds: .max - 15, sequence: 0)

    /// A store that is fed by two streams.
    private func harness(evictions: Int = EvictionMemory.limit) -> Harness {
        let harness = Harness(evictions: evictions)
        harness.store.setStreams(["a", "b"])
        return harness
    }

    private func upsert(_ harness: Harness, _ key: String, _ id: EntryID, of stream: Int) throws -> StoreChange {
        harness.batch.streamIndex = stream
        return try harness.upsert(id, [.text(key), .text("u"), .text("active")])
    }

    private func evict(_ harness: Harness, _ key: String, _ id: EntryID, of stream: Int) throws -> StoreChange {
        harness.batch.streamIndex = stream
        return try Harness.withEvent(harness.batch, id, [.text(key)]) { try harness.writer.evict($0) }
    }

    @Test("An eviction by another stream is applied whatever the ids, and the key then belongs to that stream")
    func foreign() throws {
        let harness = self.harness()
        let held = try self.upsert(harness, "k", Self.far, of: 0)
        #expect(held == .applied)
        for id in [Harness.entry(1), EntryID.max] {
            let failure = #expect(throws: StageFailure.self) { try self.upsert(harness, "k", id, of: 1) }
            #expect(
                failure?.message
                    == "store \"sessions\": the key was written from stream \"a\", but the entry is from stream "
                    + "\"b\": ids of two streams cannot be compared")
        }
        #expect(harness.store.snapshot(for: "k")?.entryID == Self.far)
        let evicted = try self.evict(harness, "k", Harness.entry(5), of: 1)
        #expect(evicted == .applied && harness.store.snapshot(for: "k") == nil && harness.store.count == 0)
        // The trace is the other stream's: the first is refused, the other goes on behind the eviction.
        #expect(throws: StageFailure.self) { try self.upsert(harness, "k", .max, of: 0) }
        let older = try self.upsert(harness, "k", Harness.entry(5), of: 1)
        let newer = try self.upsert(harness, "k", Harness.entry(6), of: 1)
        #expect(older == .older && newer == .applied)
        let snapshot = harness.store.snapshot(for: "k")
        #expect(snapshot?.entryID == Harness.entry(6) && snapshot?.fields.map(\.name) == ["id", "user", "status"])
        let repeated = try self.upsert(harness, "k", Harness.entry(6), of: 1)
        #expect(repeated == .repeated)
        // Evictions of a trace of another stream.
        _ = try self.evict(harness, "t", Self.far, of: 0)
        let over = try self.evict(harness, "t", Harness.entry(2), of: 1)
        #expect(over == .applied && harness.store.evictingEntry(for: "t".utf8.span) == Harness.entry(2))
    }

    @Test("Each stream has its own floor, which evictions of another do not raise")
    func floors() throws {
        let harness = self.harness(evictions: 2)
        _ = try self.evict(harness, "b1", Harness.entry(4), of: 1)
        for key in 0..<5 {
            _ = try self.evict(
                harness, "a\(key)", EntryID(milliseconds: Self.far.milliseconds, sequence: UInt64(key)), of: 0)
        }
        harness.store.changes.withLock { state in
            #expect(state.evictions.floor(of: 0) == EntryID(milliseconds: Self.far.milliseconds, sequence: 2))
            #expect(state.evictions.floor(of: 1) == Harness.entry(4))
        }
        let older = try self.upsert(harness, "new", Harness.entry(4), of: 1)
        let newer = try self.upsert(harness, "new", Harness.entry(5), of: 1)
        let first = try self.upsert(harness, "other", Self.far, of: 0)
        #expect(older == .older && newer == .applied && first == .older)
    }

    @Test("A checkpoint keeps the stream of each record")
    func checkpoint() throws {
        let harness = self.harness()
        _ = try self.upsert(harness, "a1", Harness.entry(30), of: 0)
        _ = try self.upsert(harness, "b1", Harness.entry(3), of: 1)
        var bytes: [UInt8] = []
        let header = CheckpointFormat.Header(definition: "d", cursor: Harness.entry(3), bookmark: "p")
        var writer = try CheckpointWriter(header) { bytes += $0 }
        try writer.add(harness.store) { true }
        try writer.finish()
        let loaded = self.harness()
        var offset = 0
        var reader = try CheckpointReader { count in
            defer { offset = min(offset + count, bytes.count) }
            return Array(bytes[offset..<min(offset + count, bytes.count)])
        }
        let read = try reader.header()
        try reader.records(into: [loaded.store], cursor: read.cursor)
        #expect(loaded.store.count == 2 && loaded.store.snapshot(for: "b1")?.entryID == Harness.entry(3))
        #expect(throws: StageFailure.self) { try self.upsert(loaded, "b1", Harness.entry(40), of: 0) }
        let newer = try self.upsert(loaded, "b1", Harness.entry(4), of: 1)
        #expect(newer == .applied)
    }

    @Test("A store that only one stream feeds stores no stream number")
    func single() throws {
        let (plain, told) = (Harness(), Harness())
        told.store.setStreams(["a"])
        for harness in [plain, told] { _ = try self.upsert(harness, "k", Harness.entry(1), of: 0) }
        #expect(told.store.usedBytes == plain.store.usedBytes)
        #expect(told.store.changes.withLock { $0.streams == nil })
    }
}
