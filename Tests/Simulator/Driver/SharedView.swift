import ComponentKit
import SnapshotStores
import StageKit
import Synchronization

/// A worker's store as its stages see it if other workers change it too: one of them may be ahead with a key.
final class SharedView: SnapshotStore {
    /// The store.
    let base: MemoryStore
    private let overtaken = Mutex(false)

    /// A view of a store.
    init(_ base: MemoryStore) { self.base = base }

    /// Whether another worker has a later entry with the key of the event that comes next.
    var isOvertaken: Bool {
        get { self.overtaken.withLock { $0 } }
        set { self.overtaken.withLock { $0 = newValue } }
    }

    var name: String { self.base.name }
    var keyField: String { self.base.keyField }
    var count: Int { self.base.count }
    var freshness: Freshness? { self.base.freshness }
    var isShared: Bool { true }
    var retention: StoreRetention { .own }

    func snapshot(for key: Span<UInt8>) -> Snapshot? { self.base.snapshot(for: key) }

    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows { try self.base.forEachSnapshot(body) }

    func removeAll() { self.base.removeAll() }

    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        Writer(self, self.base.makeWriter(key: key, fields: fields))
    }

    /// Changes the store, and answers as it would if the other worker had come first.
    private final class Writer: SnapshotWriter {
        private let view: SharedView
        private let base: any SnapshotWriter

        init(_ view: SharedView, _ base: any SnapshotWriter) {
            self.view = view
            self.base = base
        }

        func prepare(_ event: borrowing Event) { self.base.prepare(event) }

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            let change = try self.base.upsert(event)
            return self.view.isOvertaken ? .older : change
        }

        func evict(_ event: borrowing Event) throws -> StoreChange {
            let change = try self.base.evict(event)
            return self.view.isOvertaken ? .older : change
        }
    }
}
