import ComponentKit
import RESP
import RedisClient
import StageKit

// The path of a reply into the batch and of the batch to the stages: the hot path.
extension StreamDriver {
    /// The next read is sent before a reply with at least this many entries is processed. Processing fewer takes less
    /// time than sending a read, and a reader that has caught up should apply entries first.
    static let outlinedFrom = 17

    /// A read in flight.
    struct Asked {
        /// The reply.
        let reply: PendingReply
        /// When the read was sent, and how long the server waits.
        let times: ReadTimes
        /// Maximum number of entries in the reply.
        let count: Int
    }

    /// A reply whose entries are in the batch.
    struct Arrival {
        /// The content of the batch.
        let content: XReadReply.Content
        /// When the reply was complete.
        let answered: ContinuousClock.Instant
        /// The read that was sent ahead, or `nil` if none was.
        let following: Asked?
    }

    /// The timeout of a command that may return entries but does not block; longer than that of one that only returns
    /// numbers.
    var entriesTimeout: ReplyTimeout { self.streamSettings.entriesTimeout(self.settings) }

    /// Sends a read of the entries after an id; a group's read ignores the id.
    ///
    /// - Parameter isPrompt: Whether more entries are expected, so that the server should hardly wait.
    func ask(
        _ connection: RedisConnection, after id: EntryID, isPrompt: Bool, at now: ContinuousClock.Instant
    ) -> Asked {
        let command = isPrompt ? self.reads.prompt : self.reads.waiting
        return Asked(
            reply: connection.submit(
                encoded: command.encoded(after: id), timeout: self.streamSettings.readTimeout,
                outlinedFrom: Self.outlinedFrom, leavesOutToFit: self.sizes.leavesOutToFit(command.count)),
            times: ReadTimes(sent: now, block: command.block), count: command.count)
    }

    /// Waits for the reply to a read and moves its entries into the batch.
    ///
    /// - Parameters:
    ///   - cursor: The id that the ids of the entries must exceed.
    ///   - command: The command's name in errors.
    ///   - ahead: Called once when the reply is complete and before it is parsed, so that the server processes the next
    ///     read in the meantime. Gets the outline of a reply with many entries, and returns the read that it has sent,
    ///     or `nil`.
    func receive(
        _ asked: Asked, _ connection: RedisConnection, after cursor: EntryID, of command: String,
        ahead: (PendingReply.Outline?, ContinuousClock.Instant) -> Asked?
    ) async throws(ReadEnd) -> Arrival {
        let outline = await asked.reply.outline()
        let answered = ContinuousClock.now
        let following = ahead(outline, answered)
        connection.readReplies()
        do throws(RedisError) {
            // The batch takes the bytes, not the reply, so nothing refers to the reply when it is recycled.
            nonisolated(unsafe) let reply = try await asked.reply.reply()
            let content = unsafe try XReadReply.fill(
                self.batch, from: reply, after: cursor, limit: asked.count, of: command,
                oversized: self.streamSettings.onOversized)
            unsafe connection.recycle(reply)
            // The next read was sent based on the outline, so the reply must match it.
            if let outline, content != .entries(count: outline.entries, last: outline.last) {
                throw .unexpectedAnswer(
                    to: command, "the number of entries or their last id differs from the first scan")
            }
            return Arrival(content: content, answered: answered, following: following)
        } catch {
            throw .server(error)
        }
    }

    /// Sends a command that delivers entries again and moves them into a batch.
    ///
    /// - Parameters:
    ///   - form: The form of the reply.
    ///   - limit: Maximum number of entries in the reply.
    ///   - redelivery: The known deliveries of the entries.
    ///   - batch: The batch to fill, or `nil` for the driver's own.
    func receiveAgain(
        _ command: RESPCommand, _ form: XReadReply.Form, limit: Int, _ connection: RedisConnection,
        _ redelivery: Redelivery, into batch: EventBatch? = nil
    ) async throws(RedisError) -> Redelivery.Result {
        let pending = connection.submit(
            command, timeout: self.entriesTimeout, leavesOutToFit: self.sizes.leavesOutToFit(self.sizes.count))
        // Not recycled: such replies are few, and the connection would keep their memory.
        let reply = try await pending.reply()
        return try XReadReply.fill(
            batch ?? self.batch, from: reply, form, limit: limit, redelivery,
            oversized: self.streamSettings.onOversized)
    }

    /// Delivers the batch and returns the time at which its events had their outcomes.
    ///
    /// - Parameter begun: Since when the batch has been in progress; if that is long, `stallEnd` is set.
    func hand(_ deliver: Deliver, since begun: ContinuousClock.Instant) async throws(ReadEnd)
        -> ContinuousClock.Instant
    {
        do {
            try await deliver(self.batch)
        } catch {
            throw .deliver(error)
        }
        let ended = ContinuousClock.now
        if ended - begun > StalledBatch.grace { self.stallEnd = ended }
        return ended
    }
}
