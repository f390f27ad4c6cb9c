import Logging
import RESP
import StageKit

// The reading itself: the hot path.
extension StreamReader {
    /// A wait longer than this part of the limit of staleness is long.
    private static let promptPart = 8

    /// A reply of at most so many entries is worked on before the next read is sent: it takes less time than sending
    /// does, and a reader who has caught up is in no hurry to ask but in a hurry to apply.
    static let firstWorkedOn = 16

    /// A read on its way.
    private struct Asked {
        let reply: PendingReply
        let sent: ContinuousClock.Instant
        let block: Duration
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
            if let looked = look.take() { try await self.handle(look: looked) }
            let outline = await asked.reply.outline()
            let now = ContinuousClock.now
            // Asked before the next read, on its connection: what it tells holds for all that was read so far.
            if now - checked >= self.streamSettings.checkInterval, self.canCheck {
                checked = now
                look = connection.submit(StreamFacts.command(self.streamSettings.stream))
            }
            var following: Asked?
            // Asked before anything else is done, so that the server works on it meanwhile.
            if let outline, outline.entries > Self.firstWorkedOn {
                let isPrompt = self.isPrompt(outline.entries, since: asked.sent, now)
                following = self.ask(connection, behind: outline.last, isPrompt: isPrompt, at: now)
            }
            connection.readReplies()
            switch try await self.take(asked.reply, outline, connection, behind: cursor) {
            case .nothing:
                if let course = self.machine.readNothing() { throw .of(course) }
                // The server has looked when the block was over, however long its answer took to come.
                let proof = min(now, asked.sent + asked.block)
                asked = self.ask(connection, behind: cursor, isPrompt: false, at: now)
                self.reachedEnd(proof)
            case .entries(let count, let last):
                try self.count(count, last)
                do {
                    try await deliver(self.batch)
                } catch {
                    throw .deliver(error)
                }
                let proof = asked.sent
                let isPrompt = self.isPrompt(count, since: proof, now)
                asked = following ?? self.ask(connection, behind: last, isPrompt: isPrompt, at: .now)
                cursor = last
                self.delivered(last, isFull: count == self.streamSettings.readCount, proof)
            }
        }
    }

    private func ask(
        _ connection: RedisConnection, behind id: EntryID, isPrompt: Bool, at now: ContinuousClock.Instant
    ) -> Asked {
        let timeout = self.streamSettings.readBlock + self.streamSettings.readMargin
        let command = isPrompt ? self.promptCommand : self.command
        return Asked(
            reply: connection.submit(encoded: command.encoded(after: id), timeout: timeout, isOutlined: true),
            sent: now, block: isPrompt ? .milliseconds(1) : self.streamSettings.readBlock)
    }

    /// Whether to look at once for more behind a reply: it was full, or it ended a wait that was long against the limit of
    /// staleness and proves nothing of that time.
    private func isPrompt(
        _ count: Int, since sent: ContinuousClock.Instant, _ now: ContinuousClock.Instant
    ) -> Bool {
        if count == self.streamSettings.readCount { return true }
        return self.streamSettings.maxStaleness.map { now - sent > $0 / Self.promptPart } ?? false
    }

    /// Takes the entries of a reply into the batch; an outline, which was acted on, must be what it seemed.
    private func take(
        _ pending: PendingReply, _ outline: PendingReply.Outline?, _ connection: RedisConnection, behind cursor: EntryID
    ) async throws(End) -> XReadReply.Content {
        do throws(RedisError) {
            // The batch takes bytes, never the reply, so nothing refers to the reply when it is given back.
            nonisolated(unsafe) let reply = try await pending.reply()
            let content = unsafe try XReadReply.fill(
                self.batch, from: reply, after: cursor, limit: self.streamSettings.readCount)
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

    /// A read found nothing: everything up to that moment has been handled.
    private func reachedEnd(_ proof: ContinuousClock.Instant) {
        self.plan.succeeded(isAtEnd: true)
        self.show { board in
            board.status.isCaughtUp = true
            board.status.lagEntries = 0
        }
        for store in self.stores { store.freshness?.prove(at: proof) }
    }

    /// A batch has been delivered; where it was not full, everything up to the sending of its read has been handled.
    private func delivered(_ last: EntryID, isFull: Bool, _ proof: ContinuousClock.Instant) {
        self.machine.delivered()
        self.plan.succeeded(isAtEnd: !isFull)
        self.show { board in
            board.status.cursor = last
            board.status.isCaughtUp = !isFull
            board.status.lagEntries = isFull ? self.machine.detector?.lag : 0
        }
        if !isFull { for store in self.stores { store.freshness?.prove(at: proof) } }
    }

    /// Takes account of a batch before it is delivered.
    private func count(_ count: Int, _ last: EntryID) throws(End) {
        let batch = self.batch
        let first = batch.withEvent(at: 0) { $0.id }
        if let course = self.machine.read(first: first, last: last, count: count, countUpTo: batch.count(upTo:)) {
            throw .of(course)
        }
    }

    /// Takes the answer to a look at the stream.
    private func handle(look: PendingReply) async throws(End) {
        guard let facts = try await self.facts(of: look) else { return }
        if let course = self.machine.checked(facts.stream) { throw .of(course) }
    }
}

extension StreamReader.End {
    /// What a course that is not simply to read on means for the connection: a gap ends it, as reads are on their way.
    static func of(_ course: FollowMachine.Course) -> StreamReader.End {
        if case .gap(let gap, let response) = course { return .gap(gap, response) }
        return .server(.closedHere)
    }
}

extension EventBatch {
    /// How many events come from entries up to an id.
    func count(upTo id: EntryID) -> Int {
        var (low, high) = (0, self.count)
        while low < high {
            let middle = (low + high) / 2
            if self.withEvent(at: middle, { $0.id }) <= id { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
