import ComponentKit
import Dispatch
import StageKit
import Testing

@testable import StageTestKit

/// A store that holds its lock while it is listed.
private final class LockingStore: SnapshotStore {
    let name = "locking"
    let keyField = "id"
    let freshness: Freshness? = Freshness()
    let retention = StoreRetention.process
    private let content = KeptContent(.none)
    /// Held while the store is listed, and for each change.
    private let lock = DispatchSemaphore(value: 1)

    var count: Int { self.content.count }
    func snapshot(for key: Span<UInt8>) -> Snapshot? { self.content.snapshot(key) }
    func removeAll() { self.content.removeAll() }

    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
        self.lock.wait()
        defer { self.lock.signal() }
        try self.content.snapshots.forEach(body)
    }

    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        Writer(self.content.makeWriter(key, fields) {}, self)
    }

    private final class Writer: SnapshotWriter {
        let writer: any SnapshotWriter
        let store: LockingStore

        init(_ writer: any SnapshotWriter, _ store: LockingStore) {
            self.writer = writer
            self.store = store
        }

        func prepare(_ event: borrowing Event) {}

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            self.store.lock.wait()
            defer { self.store.lock.signal() }
            return try self.writer.upsert(event)
        }

        func evict(_ event: borrowing Event) throws -> StoreChange { try self.writer.evict(event) }
    }
}

@Suite struct StorePromiseTests {
    @Test(arguments: StoreFault.allCases)
    func `Each broken promise of a store is found, and a right store has none`(fault: StoreFault) async {
        let disk = Disk()
        var violations: [String] = []
        if !StoreFault.ofCheckpoints.contains(fault) {
            violations += await StoreConformance.check { KeptStore(disk, fault) }
        }
        if fault == .none || StoreFault.ofCheckpoints.contains(fault) {
            let disk = Disk()
            violations += await StoreConformance.check { SavedStore(disk, fault) }
        }
        #expect(violations.isEmpty == (fault == .none), "\(violations)")
    }

    @Test func `A store that is locked while it is listed is found`() async {
        let violations = await StoreConformance.check(LockingStore(), patience: .milliseconds(200))
        #expect(
            violations == ["forEachSnapshot holds a lock while it calls its closure: another thread waits for it"])
    }

    @Test func `A capability needs nothing but the conformance to its protocol`() {
        let kept: any SnapshotStore = KeptStore(Disk(), .none)
        #expect(kept.published === kept && kept.conditional === kept)
        #expect(kept.expiring == nil && kept.indexed == nil && kept.checkpointed == nil && kept.inPlace == nil)
    }
}
