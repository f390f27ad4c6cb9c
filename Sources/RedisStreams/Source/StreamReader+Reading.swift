import ComponentKit
import Logging
import RESP
import StageKit

// The read loop: the hot path.
extension StreamReader {
    /// The next read is sent before a reply with at least this many entries is processed. Processing fewer takes less
    /// time than sending a read, and a reader that has caught up should apply entries first.
    static let outlinedFrom = 17

    /// A read in flight.
    private struct Asked {
        let reply: PendingReply
        let times: ReadTimes
        /// Maximum number of entries in the reply.
        let count: Int
    }

    /// Reads until the connection ends. The next read is sent before a batch is delivered, unless the batch is small.
    func read(
        _ connection: RedisConnection, from start: EntryID, _ deliver: (EventBatch) async throws -> Void
    ) async throws(End) {
        var cursor = start
        var checked = ContinuousClock.now
        var look: PendingReply?
        var asked = self.ask(connection, behind: cursor, isPrompt: true, at: checked)
        while !self.stop.isStopped {
            if self.follower.owesResets { try await self.announceResets() }
            if let looked = look.take() { try await self.handle(look: looked) }
            let outline = await asked.reply.outline()
            let now = ContinuousClock.now
            // Sent before the next read and on its connection, so the reply holds for everything read so far.
            if now - checked >= self.streamSettings.checkInterval, self.canCheck {
                checked = now
                look = self.look(connection)
            }
            var following: Asked?
            // Sent before anything else is done, so that the server processes it in the meantime.
            if let outline {
                let isPrompt = self.isPrompt(outline.entries, asked, now)
                following = self.ask(connection, behind: outline.last, isPrompt: isPrompt, at: now)
            }
            connection.readReplies()
            switch try await self.take(asked, outline, connection, behind: cursor) {
            case .nothing:
                let proof = asked.times.proofOfNothing(answered: now)
                let isOutdated = asked.times.isOutdated(by: self.stallEnd)
                asked = self.ask(connection, behind: cursor, isPrompt: isOutdated, at: now)
                if let course = self.follower.readNothing(provenUpTo: proof, isOutdated: isOutdated) {
                    throw .of(course)
                }
                self.succeeded(isAtEnd: true)
            case .entries(let count, let last):
                if let course = self.follower.read(self.batch, last: last) { throw .of(course) }
                self.batch.finishedUpTo = self.follower.machine.finishedUpTo
                do {
                    try await deliver(self.batch)
                } catch {
                    throw .deliver(error)
                }
                let ended = ContinuousClock.now
                if ended - now > StalledBatch.grace { self.stallEnd = ended }
                let proof = asked.times.proof(isFull: count == asked.count)
                let isOutdated = asked.times.isOutdated(by: self.stallEnd)
                let isPrompt = self.isPrompt(count, asked, now)
                asked = following ?? self.ask(connection, behind: last, isPrompt: isPrompt, at: ended)
                cursor = last
                self.follower.delivered(last, provenUpTo: proof, isOutdated: isOutdated)
                self.succeeded(isAtEnd: proof != nil)
            }
        }
        try await self.announceResets()
    }

    private func ask(
        _ connection: RedisConnection, behind id: EntryID, isPrompt: Bool, at now: ContinuousClock.Instant
    ) -> Asked {
        let command = isPrompt ? self.promptCommand : self.command
        return Asked(
            reply: connection.submit(
                encoded: command.encoded(after: id), timeout: self.streamSettings.readTimeout,
                outlinedFrom: Self.outlinedFrom, leavesOutToFit: self.fitsReplies && command.count == 1),
            times: ReadTimes(sent: now, block: isPrompt ? .milliseconds(1) : self.streamSettings.readBlock),
            count: command.count)
    }

    /// Returns whether to look for more entries immediately after a reply.
    private func isPrompt(_ count: Int, _ asked: Asked, _ now: ContinuousClock.Instant) -> Bool {
        asked.times.asksAtOnce(
            isFull: count == asked.count, answered: now, maxStaleness: self.streamSettings.maxStaleness,
            stallEnd: self.stallEnd)
    }

    /// Moves the entries of a reply into the batch. If the next read was sent based on an outline, the reply must match
    /// it.
    private func take(
        _ asked: Asked, _ outline: PendingReply.Outline?, _ connection: RedisConnection, behind cursor: EntryID
    ) async throws(End) -> XReadReply.Content {
        do throws(RedisError) {
            // The batch takes the bytes, not the reply, so nothing refers to the reply when it is recycled.
            nonisolated(unsafe) let reply = try await asked.reply.reply()
            let content = unsafe try XReadReply.fill(
                self.batch, from: reply, after: cursor, limit: asked.count,
                oversized: self.streamSettings.onOversized)
            unsafe connection.recycle(reply)
            if let outline, content != .entries(count: outline.entries, last: outline.last) {
                throw .unexpectedAnswer(
                    to: XReadReply.name, "the number of entries or their last id differs from the first scan")
            }
            return content
        } catch {
            throw .server(error)
        }
    }

    /// Handles the reply to a query for the stream's facts.
    private func handle(look: PendingReply) async throws(End) {
        guard let facts = try await self.facts(of: look) else { return }
        if let course = self.follower.looked(facts.stream) { throw .of(course) }
    }
}

extension StreamReader.End {
    /// Returns how the connection ends for a course other than reading on; a gap ends it because reads are in flight.
    static func of(_ course: FollowMachine.Course) -> StreamReader.End {
        if case .gap(let gap, let response) = course { return .gap(gap, response) }
        return .server(.closedHere)
    }
}
