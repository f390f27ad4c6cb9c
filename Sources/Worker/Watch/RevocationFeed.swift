import Admin
import StageKit

/// Adds revocations to the log that `/v1/revocations` is served from, those of a batch at once.
final class RevocationFeed: RevocationHandler {
    private let log: RevocationLog
    private let batch = OrderedMutex(RevocationLog.Batch())

    /// Makes a handler.
    init(_ log: RevocationLog) {
        self.log = log
    }

    /// Notes a revocation.
    func revoke(_ event: borrowing Event, key: FieldID) {
        guard let range = event.range(of: key) else { return }
        event.withBytes(range) { key in
            self.batch.withLock { $0.add(key, event.id) }
        }
    }

    /// Hands over those of the batch; waits for nobody.
    func endBatch() async throws {
        self.log.append(
            self.batch.withLock { batch in
                defer { batch = RevocationLog.Batch() }
                return batch
            })
    }
}
