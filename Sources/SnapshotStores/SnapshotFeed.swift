public import ComponentKit
import StageKit
import Synchronization

/// Notifies the observers of a store.
///
/// A store has one only if the program observes it. It stands between the store's freshness and its mirror, because the
/// beginning of a fill is a change of everything.
final class SnapshotFeed: FreshnessMirror {
    private let mirror: (any FreshnessMirror)?
    private let observers = Mutex<[any SnapshotObserver]>([])

    /// Creates a feed that passes the freshness on to a mirror.
    init(before mirror: (any FreshnessMirror)?) {
        self.mirror = mirror
    }

    /// Adds an observer; it is never removed.
    func add(_ observer: any SnapshotObserver) {
        self.observers.withLock { $0.append(observer) }
    }

    /// Notifies the observers of a changed key.
    func changed(_ key: Span<UInt8>) {
        // A copy of the list, so that observers are not called under the lock.
        for observer in self.observers.withLock({ $0 }) { observer.snapshotChanged(key) }
    }

    /// Notifies the observers that any snapshot may have changed.
    func reset() {
        for observer in self.observers.withLock({ $0 }) { observer.snapshotsReset() }
    }

    /// Passes the limit on.
    func setLimit(_ nanoseconds: Int64?) {
        self.mirror?.setLimit(nanoseconds)
    }

    /// Passes the state on, then notifies the observers if a fill begins: every lookup is refused from here on.
    func setFilling(_ isFilling: Bool) {
        self.mirror?.setFilling(isFilling)
        if isFilling { self.reset() }
    }

    /// Passes the proof on.
    func prove(at instant: ContinuousClock.Instant) {
        self.mirror?.prove(at: instant)
    }
}

extension MemoryStore {
    /// Adds an observer, which is notified of all later changes.
    ///
    /// - Returns: Whether the store was created with `isObserved`; if not, the observer is not notified.
    public func observe(_ observer: any SnapshotObserver) -> Bool {
        self.feed?.add(observer)
        return self.feed != nil
    }
}

/// Changes a memory store that is observed; called from one thread at a time.
final class ObservedWriter: SnapshotWriter {
    private let writer: MemoryStoreWriter
    private let feed: SnapshotFeed
    private let key: FieldID

    /// Creates a writer that makes its changes with `writer`.
    init(_ writer: MemoryStoreWriter, _ feed: SnapshotFeed, key: FieldID) {
        self.writer = writer
        self.feed = feed
        self.key = key
    }

    /// `true`: everything is in the store already.
    var endsBatchesAtOnce: Bool { self.writer.endsBatchesAtOnce }

    /// Passes the hint on.
    func prepare(_ event: borrowing Event) {
        self.writer.prepare(event)
    }

    /// Stores the event's snapshot, then notifies.
    func upsert(_ event: borrowing Event) throws -> StoreChange {
        let change = try self.writer.upsert(event)
        if change == .applied { self.notify(event) }
        return change
    }

    /// Removes the snapshot under the event's key, then notifies.
    func evict(_ event: borrowing Event) throws -> StoreChange {
        let change = try self.writer.evict(event)
        if change == .applied { self.notify(event) }
        return change
    }

    private func notify(_ event: borrowing Event) {
        guard let range = event.range(of: self.key) else { return }
        event.withBytes(range) { self.feed.changed($0) }
    }
}
