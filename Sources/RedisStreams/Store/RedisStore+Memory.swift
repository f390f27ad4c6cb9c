import Logging
import RESP
import RedisClient
import StageKit

// The reaction to a server that has reached its memory limit.
//
// It accepts no snapshot, but the script's evictions, which free memory. Waiting would hold back every revocation for as
// long as the server is full, and make all lookups stale. So the event fails, like any event that a store refuses, and
// the key's older snapshot is removed: no session stays active in a state that the stream has replaced.
extension RedisStore {
    /// Removes the snapshots that these changes should have replaced.
    ///
    /// The server remembers an eviction by the last id before the entry, so that a retry of the entry can still succeed,
    /// and no older entry can.
    ///
    /// - Throws: `RedisError` if the server does not do so; the batch must fail then.
    func removeOutdated(_ changes: [RedisStoreWriter.Change], after error: RedisError?) async throws {
        self.logger.error(
            "the server of a store has no memory left: events fail, and their keys are removed from the store",
            metadata: [
                "store": "\(self.name)", "keys": "\(changes.count)", "error": "\(error?.description ?? "")",
            ])
        let time = max(1, self.settings.evictionMemory.microseconds / 1000)
        let commands = changes.map { change in
            SnapshotScript.command(
                .evict, key: change.request.key, entry: change.request.entry.predecessor, milliseconds: time,
                isWhole: true, stream: change.stream)
        }
        for answer in try await self.sender.ask(commands) where SnapshotScript.result(try answer.result.get()) == nil {
            throw RedisError.unexpectedAnswer(to: "EVAL", "an answer of another shape")
        }
    }
}

extension RefusedChange {
    /// Returns the refusal of an upsert whose server has no memory left.
    static func outOfMemory(store: String, _ error: RedisError) -> RefusedChange {
        RefusedChange(StageFailure("store \"\(store)\": \(error.message)"), removedSnapshot: true)
    }
}
