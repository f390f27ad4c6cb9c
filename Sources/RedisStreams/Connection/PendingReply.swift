package import RESP

/// The reply to a command that is on its way; it can be waited for once, from any task.
package struct PendingReply: Sendable {
    /// A reply on its way from the connection to the one task that waits for it.
    struct Parcel: Sendable {
        /// Set by the event loop, which forgets it, and read by the one task that waits: never shared.
        nonisolated(unsafe) let reply: RESPReply
    }

    private let shot = OneShot<Result<Parcel, RedisError>>()

    init() {}

    /// Waits for the reply; throws where the connection ends before it comes.
    package func reply() async throws(RedisError) -> sending RESPReply {
        unsafe try await self.shot.value().get().reply
    }

    /// Hands a reply over; the caller must not use it any more.
    func succeed(_ reply: sending RESPReply) {
        nonisolated(unsafe) let reply = reply
        unsafe self.shot.set(.success(Parcel(reply: reply)))
    }

    /// Tells that no reply comes.
    func fail(_ error: RedisError) {
        self.shot.set(.failure(error))
    }
}
