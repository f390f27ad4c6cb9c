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

    /// The fewest entries of a reply whose outline is asked for; nil where none is.
    let outlinedFrom: Int?
    /// Whether values are left out that the reply as a whole has no room for.
    let leavesOutToFit: Bool
    private let state = OrderedMutex(State())

    /// Nothing has come yet.
    ///
    /// - Parameters:
    ///   - outlinedFrom: The fewest entries of which `outline` is to tell; nil where it is not waited for.
    ///   - leavesOutToFit: Whether values are left out that the reply as a whole has no room for.
    init(outlinedFrom: Int? = nil, leavesOutToFit: Bool = false) {
        self.outlinedFrom = outlinedFrom
        self.leavesOutToFit = leavesOutToFit
    }

    /// Waits until the reply has come; returns what it holds where that is known and the reply not yet read, which
    /// `RedisConnection.readReplies` does then.
    func outline() async -> Outline? {
        guard self.outlinedFrom != nil else { return nil }
        if let outline = self.state.withLock({ $0.outline.take() }) { return outline }
        let outline = await ShotWaiter.wait { waiter in
            let outline = self.state.withLock { $0.outline.take(or: waiter) }
            if let outline { waiter.resume(returning: outline) }
        }
        self.showOrder()
        return outline
    }

    /// Tells that the reply has come but is not read yet.
    func announce(_ outline: Outline) {
        self.state.withLock { $0.outline.set(outline) }.waiting?.resume(returning: outline)
    }

    /// Waits for the reply; throws where the connection ends before it comes.
    package func reply() async throws(RedisError) -> sending RESPReply {
        if let result = self.state.withLock({ $0.reply.take() }) { return unsafe try result.get().reply }
        let result = await ShotWaiter.wait { waiter in
            let result = self.state.withLock { $0.reply.take(or: waiter) }
            if let result { waiter.resume(returning: result) }
        }
        self.showOrder()
        return unsafe try result.get().reply
    }

    /// Has the thread sanitizer see that what was set came before what is done with it: that a task goes on after it was
    /// resumed happens in a library that it does not see into.
    private func showOrder() {
        self.state.withLock { _ in }
    }

    /// Hands a reply over; the caller must not use it any more.
    func succeed(_ reply: sending RESPReply) {
        // `sending` leaves nobody else who holds it; the compiler does not follow it into a parcel.
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
