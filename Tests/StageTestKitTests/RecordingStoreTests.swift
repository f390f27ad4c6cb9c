import StageKit
import StageTestKit
import Testing

@Suite struct RecordingStoreTests {
    private let store = RecordingStore(key: "id")
    private let batch = EventBatch()
    private let id = GraphNames().provide("id")

    private func change(
        _ milliseconds: UInt64, _ body: (any SnapshotWriter, borrowing Event) throws -> StoreChange
    ) throws -> StoreChange {
        let writer = self.store.makeWriter(key: self.id, fields: [("id", self.id)])
        self.batch.removeAll()
        self.batch.append(id: EntryID(milliseconds: milliseconds, sequence: 0), fields: [([], Array("a".utf8))])
        self.batch.prepareCells(fieldCount: 1)
        return try self.batch.withEvent(at: 0) { event in
            event.set(self.id, range: event.rawField(at: 0).value)
            return try body(writer, event)
        }
    }

    private func upsert(_ milliseconds: UInt64) throws -> StoreChange {
        try self.change(milliseconds) { writer, event in try writer.upsert(event) }
    }

    private func evict(_ milliseconds: UInt64) throws -> StoreChange {
        try self.change(milliseconds) { writer, event in try writer.evict(event) }
    }

    @Test("An older entry neither overwrites a key nor restores a removed one")
    func monotonic() throws {
        #expect(try self.upsert(5) == .applied)
        #expect(try self.upsert(4) == .older)
        #expect(try self.evict(4) == .older)
        #expect(try self.evict(6) == .applied)
        #expect(try self.upsert(5) == .older)
        #expect(self.store.count == 0)
        #expect(try self.upsert(7) == .applied)
        #expect(self.store.snapshot(for: "a")?.entryID.milliseconds == 7)
    }

    @Test("An entry applied twice is a repeat, but may remove its own snapshot")
    func sameEntry() throws {
        #expect(try self.upsert(5) == .applied)
        #expect(try self.upsert(5) == .repeated)
        #expect(try self.evict(5) == .applied)
        #expect(try self.evict(5) == .repeated)
        #expect(try self.upsert(5) == .repeated)
        #expect(self.store.count == 0)
    }
}
