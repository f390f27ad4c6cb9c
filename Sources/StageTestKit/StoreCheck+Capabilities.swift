import ComponentKit
import Dispatch
import Foundation
import StageKit

/// Checks of what only some stores can do.
extension StoreCheck {
    /// Checks the capabilities that the store declares.
    func capabilities() async throws {
        self.declarations()
        try await self.evictions()
        if let sweeping = self.store.sweeping { try await self.sweeping(sweeping) }
        if let expiring = self.store.expiring { try await self.expiring(expiring) }
    }

    /// Checks that no capability is lost: a property that returns `nil` although the store conforms to the protocol is
    /// often one that a base class or another default implementation provides.
    ///
    /// `expiring` and `indexed` may depend on the settings.
    private func declarations() {
        let store = self.store
        let capabilities: [(name: String, conforms: Bool, isDeclared: Bool)] = [
            ("published", store is any PublishedSnapshotStore, store.published != nil),
            ("sweeping", store is any SweepingStore, store.sweeping != nil),
            ("streamFed", store is any StreamFedStore, store.streamFed != nil),
            ("conditional", store is any ConditionalStore, store.conditional != nil),
            ("checkpointed", store is any CheckpointedStore, store.checkpointed != nil),
            ("inPlace", store is any InPlaceStore, store.inPlace != nil),
        ]
        for capability in capabilities where capability.conforms && !capability.isDeclared {
            self.expect(
                false, "\(capability.name) is nil although the store conforms to its protocol: nothing would use it")
        }
        switch store.retention {
        case .checkpoint:
            self.expect(store.checkpointed != nil, "retention is checkpoint, but checkpointed is nil")
        case .process, .own:
            self.expect(
                store.checkpointed == nil,
                "checkpointed is not nil, but retention is \(store.retention), so no checkpoint would save the store")
        }
    }

    /// Checks the reports of the store about evicted keys.
    private func evictions() async throws {
        let (evicted, restored) = (self.newKey(), self.newKey())
        for key in [evicted, restored] {
            _ = try self.writing.upsert(key, 8, "a")
            _ = try self.writing.evict(key, 9)
        }
        _ = try self.writing.upsert(restored, 10, "b")
        try await self.writing.endBatch()
        if let entry = self.store.evictingEntry(for: evicted.span) {
            self.expect(entry == Self.entry(9), "evictingEntry is \(entry), not \(Self.entry(9))")
        }
        self.expect(
            self.store.evictingEntry(for: restored.span) == nil, "evictingEntry is not nil for a key that is held")
        guard let conditional = self.store.conditional else { return }
        var listed: [[UInt8]: EntryID] = [:]
        conditional.forEachEvictedKey { listed[$0] = $1 }
        self.expect(
            listed[evicted] == Self.entry(9), "forEachEvictedKey does not list an evicted key with its entry")
        self.expect(listed[restored] == nil, "forEachEvictedKey lists a key that is held")
    }

    private func sweeping(_ store: any SweepingStore) async throws {
        let (old, new) = (self.newKey(), self.newKey())
        let count = store.count
        _ = try self.writing.upsert(old, 1_000_000, "a")
        _ = try self.writing.upsert(new, 1_000_001, "a")
        try await self.writing.endBatch()
        store.removeSnapshots(before: Self.entry(1_000_001))
        self.expect(self.value(of: old) == nil, "removeSnapshots leaves an older snapshot")
        self.expect(self.value(of: new) == "a", "removeSnapshots removes the snapshot of the given entry")
        self.expect(store.count == 1, "count is \(store.count), not 1, after all \(count) older snapshots were removed")
        let result = try self.writing.upsert(old, 999_999, "b")
        self.expect(result == .applied, "removeSnapshots remembers the removal: an older entry is \(result)")
        try await self.writing.endBatch()
    }

    private func expiring(_ store: any ExpiringStore) async throws {
        let key = self.newKey()
        _ = try self.writing.upsert(key, 9, "a")
        try await self.writing.endBatch()
        let before = store.count
        let announced = OrderedMutex<Set<[UInt8]>>([])
        let refused = StageFailure("not announced")
        do {
            try await store.removeExpired { _ in throw refused }
        } catch {
            self.expect((error as? StageFailure) == refused, "removeExpired throws \(error), not the error of announce")
            self.expect(store.count == before, "removeExpired removes snapshots that were not announced")
        }
        try await store.removeExpired { snapshots in
            announced.withLock { $0.formUnion(snapshots.map(\.key)) }
        }
        let keys = announced.withLock(\.self)
        self.expect(
            keys.allSatisfy { self.value(of: $0) == nil }, "removeExpired leaves a snapshot that it has announced")
        self.expect(
            keys.contains(key) == (self.value(of: key) == nil),
            "removeExpired removes a snapshot without announcing it")
    }

    /// Checks that lookups and changes are possible on another thread while `forEachSnapshot` calls its closure.
    func listing(_ patience: Duration) async throws {
        let (key, other) = (self.newKey(), self.newKey())
        _ = try self.writing.upsert(key, 7, "a")
        try await self.writing.endBatch()
        let store = self.store
        let done = DispatchSemaphore(value: 0)
        var isFree: Bool?
        store.forEachSnapshot { _ in
            guard isFree == nil else { return }
            // Not the thread of a task: it may wait for a lock for as long as this one waits for it.
            Thread.detachNewThread {
                _ = store.snapshot(for: key.span)
                _ = try? StoreWriting(store).upsert(other, 7, "b")
                done.signal()
            }
            isFree = Self.isSignalled(done, within: patience)
        }
        self.expect(isFree != nil, "forEachSnapshot does not list a snapshot")
        if isFree == false {
            self.expect(
                false, "forEachSnapshot holds a lock while it calls its closure: another thread waits for it")
            // The thread continues now; later checks count the snapshots.
            _ = Self.isSignalled(done, within: patience)
        }
        try await self.writing.endBatch()
    }

    private static func isSignalled(_ semaphore: DispatchSemaphore, within patience: Duration) -> Bool {
        let (seconds, attoseconds) = patience.components
        return semaphore.wait(timeout: .now() + Double(seconds) + Double(attoseconds) / 1e18) == .success
    }
}
