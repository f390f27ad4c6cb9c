import RedisClient
import StageKit

// The read loop: the hot path.
extension StreamReader {
    /// Reads until the connection ends. The next read is sent before a batch is delivered, unless the batch is small.
    func read(_ connection: RedisConnection, _ deliver: StreamDriver.Deliver) async throws(ReadEnd) {
        let driver = self.driver
        var cursor = self.follower.machine.cursor ?? .zero
        var checked = ContinuousClock.now
        var factsQuery: PendingReply?
        var following = driver.ask(connection, after: cursor, isPrompt: true, at: checked)
        while !driver.stop.isStopped {
            if self.follower.owesResets { try await self.announceResets() }
            if let query = factsQuery.take() { try await self.handle(factsQuery: query) }
            let asked = following
            let arrival = try await driver.receive(asked, connection, after: cursor, of: XReadReply.name) {
                outline, now in
                // Sent before the next read and on its connection, so the reply holds for everything read so far.
                if now - checked >= driver.streamSettings.checkInterval, driver.canCheck {
                    checked = now
                    factsQuery = self.sendFactsQuery(connection)
                }
                guard let outline else { return nil }
                let isPrompt = self.isPrompt(outline.entries, asked, now)
                return driver.ask(connection, after: outline.last, isPrompt: isPrompt, at: now)
            }
            let now = arrival.answered
            switch arrival.content {
            case .nothing:
                let proof = asked.times.proofOfNothing(answered: now)
                let isOutdated = asked.times.isOutdated(by: driver.stallEnd)
                following = driver.ask(connection, after: cursor, isPrompt: isOutdated, at: now)
                if let course = self.follower.readNothing(provenUpTo: proof, isOutdated: isOutdated) {
                    throw .of(course)
                }
                driver.succeeded(isAtEnd: true)
                if self.isTimed(), !isOutdated { try await self.deliverTime(provenUpTo: proof, now, deliver) }
            case .entries(let count, let last):
                if let course = self.follower.read(driver.batch, last: last) { throw .of(course) }
                driver.batch.finishedUpTo = self.follower.machine.finishedUpTo
                let ended = try await driver.hand(deliver, since: now)
                let proof = asked.times.proof(isFull: count == asked.count)
                let isOutdated = asked.times.isOutdated(by: driver.stallEnd)
                let isPrompt = self.isPrompt(count, asked, now)
                following =
                    arrival.following ?? driver.ask(connection, after: last, isPrompt: isPrompt, at: ended)
                cursor = last
                self.follower.delivered(last, provenUpTo: proof, isOutdated: isOutdated)
                driver.succeeded(isAtEnd: proof != nil)
            }
        }
        try await self.announceResets()
    }

    /// Returns whether to look for more entries immediately after a reply.
    private func isPrompt(
        _ count: Int, _ asked: StreamDriver.Asked, _ now: ContinuousClock.Instant
    ) -> Bool {
        asked.times.asksAtOnce(
            isFull: count == asked.count, answered: now, maxStaleness: self.maxStaleness,
            stallEnd: self.driver.stallEnd)
    }

    /// Handles the reply to a query for the stream's facts.
    private func handle(factsQuery: PendingReply) async throws(ReadEnd) {
        guard let facts = try await self.facts(of: factsQuery) else { return }
        if let course = self.follower.looked(facts.stream) { throw .of(course) }
    }
}
