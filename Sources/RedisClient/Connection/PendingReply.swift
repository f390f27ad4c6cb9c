package import RESP
package import StageKit

/// The reply to a command in flight. Can be awaited once, from any task.
///
/// One is created for every command, so it is a single object. The class is not generic because generic classes look up
/// their layout when they are deallocated.
package final class PendingReply: Sendable {
    /// Carries a reply from the connection to the one task that waits for it.
    struct Parcel: Sendable {
        /// Set by the event loop, which keeps no reference, and read only by the waiting task: never shared.
        nonisolated(unsafe) let reply: RESPReply
    }

    /// The summary of a read's reply that is known before the reply is parsed.
    package struct Outline: Sendable, Equatable {
        /// The number of entries.
        package var entries: Int
        /// The id of the last entry.
        package var last: EntryID
    }

    private struct State {
        var reply = OneShotState<Result<Parcel, RedisError>>.empty
        var outline = OneShotState<Outline?>.empty
    }

    /// The minimum number of entries for which an outline is wanted, or `nil` if none is.
    let outlinedFrom: Int?
    /// Whether values are omitted if the reply exceeds the size limit.
    let leavesOutToFit: Bool
    private let state = OrderedMutex(State())

    /// Creates a pending reply.
    ///
    /// - Parameters:
    ///   - outlinedFrom: The minimum number of entries for which `outline` returns a value, or `nil` if `outline` is
    ///     not called.
    ///   - leavesOutToFit: Whether values are omitted if the reply exceeds the size limit.
    init(outlinedFrom: Int? = nil, leavesOutToFit: Bool = false) {
        self.outlinedFrom = outlinedFrom
        self.leavesOutToFit = leavesOutToFit
    }

    /// Waits until the reply is complete.
    ///
    /// - Returns: The outline, if it is known and the reply has not been parsed; call `RedisConnection.readReplies` to
    ///   parse it. Otherwise `nil`.
    package func outline() async -> Outline? {
        guard self.outlinedFrom != nil else { return nil }
        if let outline = self.state.withLock({ $0.outline.take() }) { return outline }
        let outline = await ShotWaiter.wait { waiter in
            let outline = self.state.withLock { $0.outline.take(or: waiter) }
            if let outline { waiter.resume(returning: outline) }
        }
        self.showOrder()
        return outline
    }

    /// Announces a reply that is complete but not parsed yet.
    func announce(_ outline: Outline) {
        self.state.withLock { $0.outline.set(outline) }.waiting?.resume(returning: outline)
    }

    /// Waits for the reply.
    ///
    /// - Throws: `RedisError` if the connection ends before the reply arrives.
    package func reply() async throws(RedisError) -> sending RESPReply {
        if let result = self.state.withLock({ $0.reply.take() }) { return unsafe try result.get().reply }
        let result = await ShotWaiter.wait { waiter in
            let result = self.state.withLock { $0.reply.take(or: waiter) }
            if let result { waiter.resume(returning: result) }
        }
        self.showOrder()
        return unsafe try result.get().reply
    }

    /// Shows the thread sanitizer that the value was set before it is used. The sanitizer cannot see this by itself,
    /// because the task is resumed in a library that is not instrumented.
    private func showOrder() {
        self.state.withLock { _ in }
    }

    /// Delivers the reply; the caller must not use it afterwards.
    func succeed(_ reply: sending RESPReply) {
        // `sending` guarantees that nobody else holds the reply; the compiler does not carry that over to the parcel.
        nonisolated(unsafe) let reply = reply
        self.end(unsafe .success(Parcel(reply: reply)))
    }

    /// Fails the reply: none will arrive.
    func fail(_ error: RedisError) {
        self.end(.failure(error))
    }

    private func end(_ result: Result<Parcel, RedisError>) {
        let (reply, outline) = self.state.withLock { state in
            (state.reply.set(result).waiting, state.outline.set(nil).waiting)
        }
        // Resume outside the lock: the executor may run arbitrary code when it enqueues the task.
        reply?.resume(returning: result)
        outline?.resume(returning: nil)
    }
}
