package import Admin
package import StageKit

/// Adds revocations, evictions and resets to the log of `/v1/revocations`, once per batch, and expired snapshots as
/// evictions.
package final class RevocationFeed: RevocationHandler {
    private let log: RevocationLog
    private let batch = OrderedMutex(RevocationLog.Batch())

    /// Creates a handler that adds to `log`.
    package init(_ log: RevocationLog) {
        self.log = log
    }

    /// Adds a revocation to the batch.
    package func revoke(_ event: borrowing Event, key: FieldID) {
        self.add(event, key, .revocation)
    }

    /// Adds an eviction to the batch.
    package func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        self.add(event, key, .eviction(reason: reason))
    }

    /// Adds a reset immediately: no batch of the stream is in progress.
    package func reset(_ reset: StoreReset) async throws {
        var batch = RevocationLog.Batch()
        batch.add([UInt8]().span, .zero, .reset(store: reset.store, reason: reset.reason))
        self.log.append(batch)
    }

    /// Adds the evictions of expired snapshots immediately, whatever batch is in progress.
    package func expired(_ snapshots: [ExpiredSnapshot]) async throws {
        var batch = RevocationLog.Batch()
        for snapshot in snapshots {
            batch.add(snapshot.key.span, snapshot.entry, .eviction(reason: ExpiredSnapshot.reason))
        }
        self.log.append(batch)
    }

    /// Adds the batch to the log; never waits.
    package func endBatch() async throws {
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
