import Admin
import StageKit

/// Adds revocations, evictions and resets to the log that `/v1/revocations` is served from, those of a batch at once.
final class RevocationFeed: RevocationHandler {
    private let log: RevocationLog
    private let batch = OrderedMutex(RevocationLog.Batch())

    /// Makes a handler.
    init(_ log: RevocationLog) {
        self.log = log
    }

    /// Adds a revocation to the batch.
    func revoke(_ event: borrowing Event, key: FieldID) {
        self.add(event, key, .revocation)
    }

    /// Adds an eviction to the batch.
    func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        self.add(event, key, .eviction(reason: reason))
    }

    /// Hands over a reset, on its own: no batch of the stream is under way.
    func reset(_ reset: StoreReset) async throws {
        var batch = RevocationLog.Batch()
        batch.add([UInt8]().span, .zero, .reset(store: reset.store, reason: reset.reason))
        self.log.append(batch)
    }

    /// Hands over those of the batch; waits for nobody.
    func endBatch() async throws {
        self.log.append(
            self.batch.withLock { batch in
                defer { batch = RevocationLog.Batch() }
                return batch
            })
    }

    private func add(_ event: borrowing Event, _ key: FieldID, _ kind: RevocationLog.Kind) {
        guard let range = event.range(of: key) else { return }
        event.withBytes(range) { key in
            self.batch.withLock { $0.add(key, event.orderID, kind) }
        }
    }
}
