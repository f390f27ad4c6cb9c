import ComponentKit
import RESP
import RedisClient
import StageKit
import Synchronization

// The changes of writers.
extension RedisStore {
    /// Returns the key on the server.
    func serverKey(_ key: Span<UInt8>) -> [UInt8] {
        var bytes = self.prefix
        bytes.reserveCapacity(bytes.count + key.count)
        for index in key.indices { bytes.append(key[index]) }
        return bytes
    }

    /// Returns whether the store has seen, and still remembers, all changes after the original of a replayed event.
    ///
    /// Changes that the server has since forgotten (`ttl`, `eviction_memory`) count as unknown.
    func hasSeen(_ event: borrowing Event) -> Bool {
        let (original, stream) = (event.orderID, event.streamIndex)
        if let start = self.historyStarts.withLock({ $0[stream] }), original <= start { return false }
        let memory = min(self.settings.timeToLive ?? self.settings.evictionMemory, self.settings.evictionMemory)
        let now = max(event.id.milliseconds, UInt64(clamping: WallClock.system.milliseconds))
        return now - original.milliseconds < UInt64(clamping: memory.microseconds / 1000)
    }

    /// Makes changes and returns the result of each, as if they had been made in stream order.
    ///
    /// A server that has restarted or been promoted does not know the script. If another client loads the script while
    /// a pipeline is in flight, the server refuses the first changes and makes the later ones; the refused changes are
    /// then made last. The state is still correct, because the script never applies an older change. `history` derives
    /// the outcomes from the results in the order in which the server ran the script, not in the order of the batch.
    func make(_ changes: [RedisStoreWriter.Change]) async throws -> [Result<StoreChange, RefusedChange>] {
        try await self.finishRemoval()
        self.history.withLock { history in
            for change in changes { history.ask(change.request) }
        }
        var answers = try await self.sender.ask(changes.map(\.command), waitsForMemory: false)
        let unknown = answers.indices.filter { answers[$0].error?.code == .scriptMissing }
        if unknown.isEmpty { return try await self.results(of: changes, answers, in: Array(answers.indices)) }
        let known = answers.indices.filter { answers[$0].error?.code != .scriptMissing }
        let late = try await self.sender.ask(
            unknown.map { SnapshotScript.whole(changes[$0].command) }, waitsForMemory: false)
        for (index, answer) in zip(unknown, late) { answers[index] = answer }
        return try await self.results(of: changes, answers, in: known + unknown)
    }

    /// Returns the results of changes, which the server made in the given order, and removes snapshots that became
    /// outdated because a change failed.
    private func results(
        of changes: [RedisStoreWriter.Change], _ answers: [CommandSender.Answer], in order: [Int]
    ) async throws -> [Result<StoreChange, RefusedChange>] {
        var results = [Result<StoreChange, RefusedChange>?](repeating: nil, count: changes.count)
        for index in order { results[index] = try self.result(of: changes[index], answers[index]) }
        let failed = order.filter { answers[$0].error?.code == .outOfMemory }
        if !failed.isEmpty {
            try await self.removeOutdated(failed.map { changes[$0] }, after: answers[failed[0]].error)
        }
        return results.compactMap(\.self)
    }

    /// Ends a batch in which these keys were changed.
    func endBatch(_ keys: some Sequence<[UInt8]>) {
        self.history.withLock { $0.forget(keys) }
    }

    /// Returns the result of a change from its answer.
    ///
    /// - Throws: `RedisError` if the batch must fail as a whole.
    private func result(
        of change: RedisStoreWriter.Change, _ answer: CommandSender.Answer
    ) throws(RedisError) -> Result<StoreChange, RefusedChange> {
        switch answer.result {
        case .success(let value):
            guard let result = SnapshotScript.result(value) else {
                throw .unexpectedAnswer(to: "EVALSHA", "expected the result of the script")
            }
            if let held = result.foreign {
                let refusal = StreamRefusal(store: self.name, held: held, entry: change.stream)
                return .failure(RefusedChange(StageFailure(refusal.description)))
            }
            return .success(
                self.history.withLock {
                    $0.note(result, of: change.request, mayBeRepeated: answer.mayBeRepeated)
                })
        case .failure(let error) where error.code == .outOfMemory && change.request.change == .upsert:
            return .failure(.outOfMemory(store: self.name, error))
        case .failure(let error):
            // Retries are exhausted: the server is unavailable and the result unknown.
            if error.isTransient { throw error }
            // If the server refuses the command to this user, no change can succeed. A failed eviction would keep a
            // snapshot that the stream has revoked. A key of another type causes neither problem, because lookups find
            // no snapshot there.
            let isRevocation = change.request.change == .evict && error.code != .wrongType
            if isRevocation || error.isDenied || error.code == .authentication { throw error }
            return .failure(RefusedChange(StageFailure("store \"\(self.name)\": \(error.message)")))
        }
    }
}

extension CommandSender.Answer {
    /// The error if the command failed, or `nil` if it was answered.
    fileprivate var error: RedisError? {
        if case .failure(let error) = self.result { error } else { nil }
    }
}
