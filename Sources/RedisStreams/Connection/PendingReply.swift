package import RESP
import StageKit

/// The reply to a command that is on its way; it can be waited for once, from any task.
///
/// Made for every command, so it is one object, and of no generic class: those look their layout up when they end.
package final class PendingReply: Sendable {
    /// A reply on its way from the connection to the one task that waits for it.
    struct Parcel: Sendable {
        /// Set by the event loop, which forgets it, and read by the one task that waits: never shared.
        nonisolated(unsafe) let reply: RESPReply
    }

    /// What is known of the reply to a read before it is read itself.
    struct Outline: Sendable, Equatable {
        /// How many entries there are.
        var entries: Int
        /// The id of the last.
        var last: EntryID
    }

    private struct State {
        var reply = OneShotState<Result<Parcel, RedisError>>.empty
        var outline = OneShotState<Outline?>.empty
    }

    /// Whether an outline is asked for.
    let isOutlined: Bool
    private let state = OrderedMutex(State())

    /// Nothing has come yet.
    ///
    /// - Parameter isOutlined: Whether it is waited for with `outline` first.
    init(isOutlined: Bool = false) {
        self.isOutlined = isOutlined
    }

    /// Waits until the reply has come; returns what it holds where that is known and the reply not yet read, which
    /// `RedisConnection.readReplies` does then.
    func outline() async -> Outline? {
        guard self.isOutlined else { return nil }
        if let outline = self.state.withLock({ $0.outline.take() }) { return outline }
        return await withCheckedContinuation { continuation in
            let outline = self.state.withLock { $0.outline.take(or: continuation) }
            if let outline { continuation.resume(returning: outline) }
        }
    }

    /// Tells that the reply has come but is not read yet.
    func announce(_ outline: Outline) {
        self.state.withLock { $0.outline.set(outline) }.waiting?.resume(returning: outline)
    }

    /// Waits for the reply; throws where the connection ends before it comes.
    package func reply() async throws(RedisError) -> sending RESPReply {
        if let result = self.state.withLock({ $0.reply.take() }) { return unsafe try result.get().reply }
        let result = await withCheckedContinuation { continuation in
            let result = self.state.withLock { $0.reply.take(or: continuation) }
            if let result { continuation.resume(returning: result) }
        }
        return unsafe try result.get().reply
    }

    /// Hands a reply over; the caller must not use it any more.
    func succeed(_ reply: sending RESPReply) {
        nonisolated(unsafe) let reply = reply
        self.end(unsafe .success(Parcel(reply: reply)))
    }

    /// Tells that no reply comes.
    func fail(_ error: RedisError) {
        self.end(.failure(error))
    }

    private func end(_ result: Result<Parcel, RedisError>) {
        let (reply, outline) = self.state.withLock { state in
            (state.reply.set(result).waiting, state.outline.set(nil).waiting)
        }
        // Outside the lock: resuming can run whatever the executor does on enqueueing.
        reply?.resume(returning: result)
        outline?.resume(returning: nil)
    }
}
