import ComponentKit
import StageKit
import StageTestKit
import Synchronization
import Testing

@testable import PipelineEngine

/// A store that has one expired snapshot, until it was announced.
private final class ExpiringOne: ExpiringStore {
    let name = "a"
    let keyField = "id"
    let count = 0
    let retention = StoreRetention.process
    let freshness: Freshness? = nil
    private let removed = Mutex(0)
    var expiredCount: Int { self.removed.withLock { $0 } }
    func removeExpired(
        _ announce: nonisolated(nonsending) ([ExpiredSnapshot]) async throws -> Void
    ) async throws {
        guard self.expiredCount == 0 else { return }
        try await announce([ExpiredSnapshot(key: Array("k".utf8), entry: EntryID(milliseconds: 5, sequence: 1))])
        self.removed.withLock { $0 += 1 }
    }
    func snapshot(for key: Span<UInt8>) -> Snapshot? { nil }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {}
    func removeAll() {}
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter { Writer() }
    private final class Writer: SnapshotWriter {
        func prepare(_ event: borrowing Event) {}
        func upsert(_ event: borrowing Event) throws -> StoreChange { .older }
        func evict(_ event: borrowing Event) throws -> StoreChange { .older }
    }
}

@Suite struct ExpirySweeperTests {
    private struct Refused: Error {}

    @Test("What cannot be announced is logged, and announced and removed by the next sweep")
    func announces() async {
        let (store, handler, log) = (ExpiringOne(), RecordingRevocationHandler(), RecordingLog())
        let sweeper = ExpirySweeper(store: store, handler: handler, logger: log.logger(label: "test"))
        handler.failBatches(with: Refused())
        await sweeper.sweep()
        #expect(store.expiredCount == 0 && handler.calls.isEmpty)
        #expect(log.lines.contains { "\($0)".contains("cannot announce expired snapshots") })
        handler.failBatches(with: nil)
        for _ in 0..<2 { await sweeper.sweep() }
        #expect(store.expiredCount == 1)
        #expect(handler.calls == [.evicted("k", EntryID(milliseconds: 5, sequence: 1), reason: "expired")])
    }

    @Test("A store that conforms is one whose snapshots expire")
    func declares() {
        let store = ExpiringOne()
        #expect((store as any SnapshotStore).expiring === store)
    }

    @Test("Without a handler, snapshots are removed")
    func noHandler() async {
        let (store, log) = (ExpiringOne(), RecordingLog())
        let sweeper = ExpirySweeper(store: store, handler: nil, logger: log.logger(label: "test"))
        await sweeper.sweep()
        #expect(store.expiredCount == 1)
    }

    @Test("A handler of closures is called for expired snapshots as for evictions")
    func callback() async throws {
        let calls = Mutex<[String]>([])
        let handler = RevocationCallback(
            { _, _ in },
            onEviction: { key, entry, reason in calls.withLock { $0.append("\(key) \(entry) \(reason)") } })
        try await handler.expired([
            ExpiredSnapshot(key: Array("k".utf8), entry: EntryID(milliseconds: 5, sequence: 1))
        ])
        #expect(calls.withLock { $0 } == ["k 5-1 expired"])
    }
}
