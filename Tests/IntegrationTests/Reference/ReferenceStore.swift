import ComponentKit
import Foundation
import SnapshotStores
import StageKit

/// The memory store, which notes every change and refuses keys that begin with `fail-`: a refusal is what the real one
/// cannot be brought to for a single key.
final class ReferenceStore: SnapshotStore {
    /// It does not say.
    let freshness: Freshness? = nil
    /// The store type `memory` over this store.
    static func type(_ trace: ReferenceTrace) -> StoreType {
        let real = MemoryStore.type
        return real.making { node, setup in
            real.make(node, setup).map { ReferenceStore($0, trace) }
        }
    }

    private let store: any SnapshotStore
    private let trace: ReferenceTrace

    init(_ store: any SnapshotStore, _ trace: ReferenceTrace) {
        self.store = store
        self.trace = trace
    }

    var name: String { self.store.name }
    var retention: StoreRetention { .process }
    var keyField: String { self.store.keyField }
    var count: Int { self.store.count }

    func snapshot(for key: Span<UInt8>) -> Snapshot? { self.store.snapshot(for: key) }
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows { try self.store.forEachSnapshot(body) }
    func removeAll() { self.store.removeAll() }

    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        Writer(self.store, self.store.makeWriter(key: key, fields: fields), key, self.trace)
    }

    private final class Writer: SnapshotWriter {
        private let store: any SnapshotStore
        private let writer: any SnapshotWriter
        private let key: FieldID
        private let trace: ReferenceTrace

        init(_ store: any SnapshotStore, _ writer: any SnapshotWriter, _ key: FieldID, _ trace: ReferenceTrace) {
            self.store = store
            self.writer = writer
            self.key = key
            self.trace = trace
        }

        func prepare(_ event: borrowing Event) { self.writer.prepare(event) }

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            let key = self.bytes(event)
            if key.starts(with: Array("fail-".utf8)) { throw StageFailure(ReferenceTrace.forcedFailure) }
            let change = try self.writer.upsert(event)
            self.trace.add(event.id, self.line(self.store.snapshot(for: key.span), event.id, change))
            return change
        }

        func evict(_ event: borrowing Event) throws -> StoreChange {
            let key = self.bytes(event)
            let change = try self.writer.evict(event)
            let isGone = self.store.snapshot(for: key.span) == nil
            self.trace.add(
                event.id, "delete \(ReferenceTrace.show(key))" + (isGone && change == .applied ? "" : " \(change)"))
            return change
        }

        func endBatch() async throws { try await self.writer.endBatch() }

        /// What the store answers after the change, not what it was given.
        private func line(_ snapshot: Snapshot?, _ id: EntryID, _ change: StoreChange) -> String {
            ReferenceTrace.line(snapshot, id, change, revoked: snapshot?.integer("revoked_at_ms").map { "\($0)" })
        }

        private func bytes(_ event: borrowing Event) -> [UInt8] { event.copy(of: self.key) }
    }
}

extension Event {
    /// A field's bytes to keep, none where the event does not have it.
    func copy(of field: FieldID) -> [UInt8] {
        guard let range = self.range(of: field) else { return [] }
        return self.withBytes(range) { [UInt8](copying: $0) }
    }
}
