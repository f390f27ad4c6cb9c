import ComponentKit
import Foundation
import PipelineEngine
import RedisClient
import RedisStreams
import StageKit

/// The redis store, which notes every change and refuses keys that begin with `fail-`, as `ReferenceStore` does.
final class ReferenceRedisStore: RemoteSnapshotStore {
    /// It does not say.
    let freshness: Freshness? = nil
    /// The store type `redis` over this store.
    static func type(_ trace: ReferenceTrace) -> StoreType {
        let real = RedisStore.type
        return real.making { node, setup in
            (real.make(node, setup) as? RedisStore).map { ReferenceRedisStore($0, trace) }
        }
    }

    private let store: RedisStore
    private let trace: ReferenceTrace

    init(_ store: RedisStore, _ trace: ReferenceTrace) {
        self.store = store
        self.trace = trace
    }

    var name: String { self.store.name }
    var keyField: String { self.store.keyField }

    func lookUp(_ key: [UInt8]) async throws -> Snapshot? { try await self.store.lookUp(key) }
    func removeAll() { self.store.removeAll() }
    func finishRemoval() async throws { try await self.store.finishRemoval() }
    func shutDown() async { await self.store.shutDown() }

    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        // A writer of a store elsewhere is one that settles; anything else is a failure of the test.
        guard let writer = self.store.makeWriter(key: key, fields: fields).deferred else {
            preconditionFailure("the redis store's writer does not settle")
        }
        return Writer(self.store, writer, key, self.trace)
    }

    private final class Writer: DeferredWriter {
        private struct Taken {
            let id: EntryID
            let key: [UInt8]
            let isEviction: Bool
        }

        private let store: RedisStore
        private let writer: any DeferredWriter
        private let key: FieldID
        private let trace: ReferenceTrace
        private var taken: [Taken] = []

        init(_ store: RedisStore, _ writer: any DeferredWriter, _ key: FieldID, _ trace: ReferenceTrace) {
            self.store = store
            self.writer = writer
            self.key = key
            self.trace = trace
        }

        func prepare(_ event: borrowing Event) { self.writer.prepare(event) }

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            let key = event.copy(of: self.key)
            if key.starts(with: Array("fail-".utf8)) { throw StageFailure(ReferenceTrace.forcedFailure) }
            let change = try self.writer.upsert(event)
            self.taken.append(Taken(id: event.id, key: key, isEviction: false))
            return change
        }

        func evict(_ event: borrowing Event) throws -> StoreChange {
            let change = try self.writer.evict(event)
            self.taken.append(Taken(id: event.id, key: event.copy(of: self.key), isEviction: true))
            return change
        }

        func settle() async throws -> [Result<StoreChange, RefusedChange>] {
            let results = try await self.writer.settle()
            let taken = self.taken
            self.taken = []
            for (one, result) in zip(taken, results) {
                let change = try result.get()
                let snapshot = try await self.store.lookUp(one.key)
                if one.isEviction {
                    // A later entry of the same batch may stand there by now, never this one or an older one.
                    let isGone = snapshot.map { $0.entryID > one.id } ?? true
                    self.trace.add(
                        one.id,
                        "delete \(ReferenceTrace.show(one.key))" + (isGone && change == .applied ? "" : " \(change)"))
                } else {
                    self.trace.add(one.id, self.line(snapshot, one.id, change))
                }
            }
            return results
        }

        func endBatch() async throws { try await self.writer.endBatch() }

        /// What the server holds after the change, not what it was given.
        private func line(_ snapshot: Snapshot?, _ id: EntryID, _ change: StoreChange) -> String {
            ReferenceTrace.line(snapshot, id, change, revoked: snapshot?["revoked_at_ms"])
        }
    }
}
