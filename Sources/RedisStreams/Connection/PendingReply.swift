package import RESP
import StageKit

/// The reply to a command that is on its way; it can be waited for once, from any task.
package struct PendingReply: Sendable {
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

    private let shot = OneShot<Result<Parcel, RedisError>>()
    private let outlineShot: OneShot<Outline?>?

    /// Nothing has come yet.
    ///
    /// - Parameter isOutlined: Whether it is waited for with `outline` first.
    init(isOutlined: Bool = false) {
        self.outlineShot = isOutlined ? OneShot() : nil
    }

    /// Whether an outline is asked for.
    var isOutlined: Bool { self.outlineShot != nil }

    /// Waits until the reply has come; returns what it holds where that is known and the reply not yet read, which
    /// `RedisConnection.readReplies` does then.
    func outline() async -> Outline? {
        await self.outlineShot?.value()
    }

    /// Tells that the reply has come but is not read yet.
    func announce(_ outline: Outline) {
        self.outlineShot?.set(outline)
    }

    /// Waits for the reply; throws where the connection ends before it comes.
    package func reply() async throws(RedisError) -> sending RESPReply {
        unsafe try await self.shot.value().get().reply
    }

    /// Hands a reply over; the caller must not use it any more.
    func succeed(_ reply: sending RESPReply) {
        nonisolated(unsafe) let reply = reply
        unsafe self.shot.set(.success(Parcel(reply: reply)))
        self.outlineShot?.set(nil)
    }

    /// Tells that no reply comes.
    func fail(_ error: RedisError) {
        self.shot.set(.failure(error))
        self.outlineShot?.set(nil)
    }
}
