import Logging
import RESP
import StageKit

// The reading itself: the hot path.
extension StreamReader {
    /// The next read is sent before a reply of at least so many entries is worked on. Work on fewer takes less time than
    /// sending does, and a reader who has caught up is in no hurry to ask but in a hurry to apply.
    static let outlinedFrom = 17

    /// A read on its way.
    private struct Asked {
        let reply: PendingReply
        let times: ReadTimes
        /// The most entries of its reply.
        let count: Int
    }

    /// Reads until the connection ends: the next read is sent before a batch is delivered, unless it is of few entries.
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
            // Asked before the next read, on its connection: what it tells holds for all that was read so far.
            if now - checked >= self.streamSettings.checkInterval, self.canCheck {
                checked = now
                look = self.look(connection)
            }
            var following: Asked?
            // Asked before anything else is done, so that the server works on it meanwhile.
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

    /// Whether to look at once for more behind a reply.
    private func isPrompt(_ count: Int, _ asked: Asked, _ now: ContinuousClock.Instant) -> Bool {
        asked.times.asksAtOnce(
            isFull: count == asked.count, answered: now, maxStaleness: self.streamSettings.maxStaleness,
            stallEnd: self.stallEnd)
    }

    /// Takes the entries of a reply into the batch; an outline, which was acted on, must be what it seemed.
    private func take(
        _ asked: Asked, _ outline: PendingReply.Outline?, _ connection: RedisConnection, behind cursor: EntryID
    ) async throws(End) -> XReadReply.Content {
        do throws(RedisError) {
            // The batch takes bytes, never the reply, so nothing refers to the reply when it is given back.
            nonisolated(unsafe) let reply = try await asked.reply.reply()
            let content = unsafe try XReadReply.fill(
                self.batch, from: reply, after: cursor, limit: asked.count,
                oversized: self.streamSettings.onOversized)
            unsafe connection.recycle(reply)
            if let outline, content != .entries(count: outline.entries, last: outline.last) {
                throw .unexpectedAnswer(
                    to: XReadReply.name, "entries whose number or last id is not what it seemed")
            }
            return content
        } catch {
            throw .server(error)
        }
    }

    /// Takes the answer to a look at the stream.
    private func handle(look: PendingReply) async throws(End) {
        guard let facts = try await self.facts(of: look) else { return }
        if let course = self.follower.looked(facts.stream) { throw .of(course) }
    }
}

extension StreamReader.End {
    /// What a course that is not simply to read on means for the connection: a gap ends it, as reads are on their way.
    static func of(_ course: FollowMachine.Course) -> StreamReader.End {
        if case .gap(let gap, let response) = course { return .gap(gap, response) }
        return .server(.closedHere)
    }
}
