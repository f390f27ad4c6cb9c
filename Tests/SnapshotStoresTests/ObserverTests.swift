import ComponentKit
import StageKit
import Testing

@testable import SnapshotStores

@Suite struct ObserverTests {
    /// Writes down its calls.
    private final class Recorder: SnapshotObserver {
        private let calls = OrderedMutex<[String]>([])

        func snapshotChanged(_ key: Span<UInt8>) {
            let text = String(decoding: [UInt8](copying: key), as: UTF8.self)
            self.calls.withLock { $0.append(text) }
        }

        func snapshotsReset() {
            self.calls.withLock { $0.append("reset") }
        }

        /// The calls since.
        func take() -> [String] {
            self.calls.withLock { calls in
                defer { calls = [] }
                return calls
            }
        }
    }

    private func store(isObserved: Bool) -> (MemoryStore, Recorder, Bool) {
        let store = MemoryStore(name: "sessions", keyField: "id", isObserved: isObserved)
        let recorder = Recorder()
        return (store, recorder, store.observe(recorder))
    }

    private func change(_ writer: any SnapshotWriter, _ key: String, _ id: UInt64, isRemoval: Bool = false) throws {
        let batch = EventBatch()
        try Harness.withEvent(batch, Harness.entry(id), [.text(key), .text("u"), .text("active")]) { event in
            writer.prepare(event)
            _ = try isRemoval ? writer.evict(event) : writer.upsert(event)
        }
    }

    @Test("Changes that are applied are reported after they are visible, and nothing else")
    func changes() throws {
        let (store, recorder, isObserved) = self.store(isObserved: true)
        #expect(isObserved)
        let writer = Harness.writer(of: store)
        #expect(writer.endsBatchesAtOnce)
        try self.change(writer, "a", 5)
        #expect(store.snapshot(for: "a") != nil)
        #expect(recorder.take() == ["a"])
        try self.change(writer, "a", 5)
        try self.change(writer, "a", 4)
        try self.change(writer, "a", 3, isRemoval: true)
        #expect(recorder.take() == [])
        try self.change(writer, "a", 6, isRemoval: true)
        #expect(store.snapshot(for: "a") == nil)
        #expect(recorder.take() == ["a"])
    }

    @Test("Fills and removals without keys are reported as resets, and the freshness works as before")
    func resets() throws {
        let (store, recorder, _) = self.store(isObserved: true)
        let freshness = try #require(store.freshness)
        freshness.setFilling(true)
        #expect(recorder.take() == ["reset"] && freshness.isBeingFilled)
        freshness.setFilling(false)
        freshness.setLimit(.seconds(1000))
        freshness.prove(at: .now)
        #expect(recorder.take() == [] && !freshness.isStale)
        store.removeAll()
        #expect(recorder.take() == ["reset"])
        store.removeSnapshots(before: Harness.entry(10))
        #expect(recorder.take() == ["reset"])
    }

    @Test("A store without observers has the plain writer")
    func plain() throws {
        let (store, recorder, isObserved) = self.store(isObserved: false)
        #expect(!isObserved)
        let writer = Harness.writer(of: store)
        #expect(writer is MemoryStoreWriter)
        try self.change(writer, "a", 5)
        store.removeAll()
        #expect(recorder.take() == [])
    }

    @Test("Fields are passed with their numbers and original bytes")
    func fields() throws {
        let harness = Harness()
        _ = try harness.upsert(
            Harness.entry(1), [.text("a"), .text("u"), .absent, .integer(7, text: "007")])
        let key = Array("a".utf8)
        var found: [String: String] = [:]
        harness.store.withSnapshot(for: key.span) { snapshot in
            snapshot.forEachField { number, value in
                found[harness.store.fieldName(number)] = String(decoding: [UInt8](copying: value), as: UTF8.self)
            }
        }
        #expect(found == ["id": "a", "user": "u", "revoked_at_ms": "007"])
        #expect(harness.store.fieldName(200) == "")
    }
}
