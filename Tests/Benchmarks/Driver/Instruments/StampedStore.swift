import ComponentKit
import Foundation
import StageKit
import Synchronization

/// How long events took from XADD to applied, where an entry's id is its send time in nanoseconds.
final class LatencyRecorder: Sendable {
    private let taken: Mutex<[UInt64]>

    /// Makes a recorder with room for so many events.
    init(capacity: Int) {
        var room: [UInt64] = []
        room.reserveCapacity(capacity)
        self.taken = Mutex(room)
    }

    /// Notes that the entry has just been applied.
    func record(_ id: EntryID) {
        let now = Clocks.monotonic
        self.taken.withLock { $0.append(now &- id.milliseconds) }
    }

    /// All that was noted, in nanoseconds, in order.
    var values: [UInt64] { self.taken.withLock { $0 } }

    /// Writes all that was noted to a file, 64-bit nanoseconds in the machine's order.
    func write(to file: String) throws {
        let bytes = self.values.flatMap { value in (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }
        try Data(bytes).write(to: URL(fileURLWithPath: file))
    }
}

/// Another store that tells a recorder of every snapshot it has taken in.
final class StampedStore: SnapshotStore {
    /// It does not say.
    let freshness: Freshness? = nil
    private let inner: any SnapshotStore
    private let recorder: LatencyRecorder

    /// Stamps what `inner` applies.
    init(_ inner: any SnapshotStore, recorder: LatencyRecorder) {
        self.inner = inner
        self.recorder = recorder
    }

    /// No checkpoint can save it.
    var retention: StoreRetention { .process }
    /// The inner store's.
    var name: String { self.inner.name }
    /// The inner store's.
    var keyField: String { self.inner.keyField }
    /// The inner store's.
    var count: Int { self.inner.count }
    /// The inner store's.
    func snapshot(for key: Span<UInt8>) -> Snapshot? { self.inner.snapshot(for: key) }
    /// The inner store's.
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows { try self.inner.forEachSnapshot(body) }
    /// The inner store's.
    func removeAll() { self.inner.removeAll() }

    /// The inner store's writer, with a stamp.
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        Writer(self.inner.makeWriter(key: key, fields: fields), self.recorder)
    }

    /// The inner store's writer, with a stamp behind each upsert.
    private final class Writer: SnapshotWriter {
        private let inner: any SnapshotWriter
        private let recorder: LatencyRecorder

        init(_ inner: any SnapshotWriter, _ recorder: LatencyRecorder) {
            self.inner = inner
            self.recorder = recorder
        }

        func prepare(_ event: borrowing Event) { self.inner.prepare(event) }
        func evict(_ event: borrowing Event) throws -> StoreChange { try self.inner.evict(event) }
        func endBatch() async throws { try await self.inner.endBatch() }

        func upsert(_ event: borrowing Event) throws -> StoreChange {
            let change = try self.inner.upsert(event)
            self.recorder.record(event.id)
            return change
        }
    }
}
