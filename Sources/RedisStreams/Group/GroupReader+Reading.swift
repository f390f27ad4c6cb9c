import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

// The read loop: new entries, the worker's own backlog, entries that others have abandoned, and acknowledgements.
extension GroupReader {
    // MARK: New entries

    /// Reads entries that were not delivered to any worker and delivers them. The next read is sent ahead, unless this
    /// one returns few entries.
    func readNew(
        _ link: Link, _ keeper: GroupKeeper, _ deliver: StreamDriver.Deliver
    ) async throws(ReadEnd) {
        let driver = self.driver
        let asked = self.asked.take() ?? self.ask(link.reading, at: .now)
        keeper.setReading(true)
        let arrival = try await driver.receive(asked, link.reading, after: .zero, of: "XREADGROUP") { outline, now in
            keeper.setReading(false)
            guard let outline, !driver.stop.isStopped else { return nil }
            self.machine.read(upTo: outline.last)
            self.isPrompt = outline.entries == asked.count || asked.times.isOutdated(by: driver.stallEnd)
            return self.machine.next(at: now) == .read ? self.ask(link.reading, at: now) : nil
        }
        self.asked = arrival.following
        switch arrival.content {
        case .nothing:
            do throws(RedisError) {
                try await self.confirmAll(link.control)
            } catch {
                throw .server(error)
            }
            self.machine.readNothing()
            self.isPrompt = asked.times.isOutdated(by: driver.stallEnd)
            driver.succeeded(isAtEnd: true)
            self.show { board in
                guard !self.isPrompt else { return }
                board.status.isCaughtUp = true
                board.status.lagEntries = 0
            }
        case .entries(let count, let last):
            self.machine.read(upTo: last)
            self.isPrompt = count == asked.count
            try await self.hand(deliver, link.control)
            if asked.times.isOutdated(by: driver.stallEnd) { self.isPrompt = true }
            driver.succeeded(isAtEnd: !self.isPrompt)
            self.show { board in
                board.status.cursor = max(board.status.cursor ?? .zero, last)
                board.status.isCaughtUp = !self.isPrompt
                if !self.isPrompt { board.status.lagEntries = 0 }
            }
        }
    }

    private func ask(_ reading: RedisConnection, at now: ContinuousClock.Instant) -> StreamDriver.Asked {
        self.driver.ask(reading, after: .zero, isPrompt: self.isPrompt || self.machine.hurries, at: now)
    }

    // MARK: Redelivered entries

    /// Processes the next entries that were pending for the worker when it started or lost its connection.
    func readBacklog(
        _ control: RedisConnection, after id: EntryID?, _ deliver: StreamDriver.Deliver
    ) async throws(ReadEnd) {
        do {
            let query = self.commands.own(after: id, count: self.pageCount)
            let page = if let query { try await self.list(control, query) } else { [PendingEntry]() }
            guard let take = self.machine.ownPending(page) else { return }
            let gone = try await self.correct(take.corrections, control)
            self.machine.taking(take)
            var found = Redelivery.Result()
            let count = take.deliveries.count - gone.count
            if count > 0 {
                found = try await self.driver.receiveAgain(
                    self.commands.backlog(after: id ?? .zero, count: count), .backlog, limit: count, control,
                    Redelivery(take: take, machine: self.machine))
            }
            found.deleted += gone
            try await self.deliverAgain(found, control, deliver)
            if self.driver.sizes.isReduced { self.driver.replyArrived(isAtEnd: false) }
        } catch {
            throw .of(error)
        }
    }

    /// Sets the delivery counts on the server to those that this worker knows; returns the entries that the stream no
    /// longer has.
    ///
    /// From 7.0 on, the server drops those from the pending entries on this command, and its reply lacks them. The
    /// reply also lacks entries that another worker has claimed in the meantime.
    private func correct(
        _ entries: [PendingEntry], _ control: RedisConnection
    ) async throws(RedisError) -> [EntryID] {
        var missing: [EntryID] = []
        for part in PendingEntry.parts(of: entries) {
            let command = self.commands.count(part.ids[...], deliveries: part.deliveries, idle: part.idle)
            guard let answer = try await control.command(command).array else {
                throw .unexpectedAnswer(to: "XCLAIM", "expected a list of ids")
            }
            let counted = Set(answer.compactMap { $0.string.flatMap { EntryID($0) } })
            missing += part.ids.filter { !counted.contains($0) }
        }
        var gone: [EntryID] = []
        for id in missing where try await self.list(control, self.commands.pending(at: id)).isEmpty { gone.append(id) }
        return gone
    }

    /// Queries the stream, the group and the pending entries; claims entries that others have abandoned.
    func survey(_ control: RedisConnection, _ deliver: StreamDriver.Deliver) async throws(ReadEnd) {
        do {
            let facts = try await self.queryFacts(control)
            if let facts, facts.group == nil {
                throw RedisError(.noGroup, "the consumer group \(self.group.name) does not exist", isTransient: true)
            }
            let count = self.pageCount
            let pending = try await self.list(control, self.commands.pending)
            let abandoned = try await self.list(
                control, self.commands.abandoned(idle: self.group.claimAfter, count: count))
            let gap = self.machine.surveyed(
                facts?.stream, facts?.group, pending, hurries: abandoned.count == count, at: .now)
            if let gap { try self.report(gap) }
            self.status.pending = facts?.group?.pending ?? pending.count
            let lag = facts.flatMap { facts in facts.stream.flatMap { facts.group?.lag(in: $0) } }
            self.show { board in
                if !board.status.isCaughtUp { board.status.lagEntries = lag }
            }
            for take in self.machine.takeOver(abandoned, of: self.commands.consumer) where !self.driver.stop.isStopped {
                try await self.claim(take, control, deliver)
            }
            try await self.removeIdleConsumers(control)
        } catch {
            throw .of(error)
        }
    }

    /// Claims a run of entries, except those that another worker has claimed in the meantime.
    private func claim(
        _ take: GroupMachine.Take, _ control: RedisConnection, _ deliver: StreamDriver.Deliver
    ) async throws {
        let count = take.deliveries.count
        self.machine.taking(take)
        var found = try await self.driver.receiveAgain(
            self.commands.claim(from: take.first, count: count, idle: self.group.claimAfter), .claim, limit: count,
            control, Redelivery(take: take, machine: self.machine))
        if found.nameless > 0 {
            // Redis 6.2 has assigned them to this worker without returning their ids; reading the worker's backlog
            // returns them. The batch keeps the entries that were claimed.
            found.deleted += try await self.driver.receiveAgain(
                self.commands.backlog(after: take.first.predecessor, count: count), .backlog, limit: count, control,
                Redelivery(take: take, machine: self.machine), into: EventBatch()
            ).deleted
        }
        self.status.claimed += found.count
        if found.count > 0 {
            self.driver.logger.notice(
                "claimed entries",
                metadata: ["entries": "\(found.count)", "from": "\(take.first)", "group": "\(self.group.name)"])
        }
        try await self.deliverAgain(found, control, deliver)
    }

    /// Delivers the batch, whose entries were delivered before, and acknowledges entries that no longer exist, so that
    /// the server forgets them.
    private func deliverAgain(
        _ found: Redelivery.Result, _ control: RedisConnection, _ deliver: StreamDriver.Deliver
    ) async throws {
        if let first = found.deleted.first, let last = found.deleted.last {
            self.status.deleted += found.deleted.count
            self.ledger.owe(found.deleted)
            try self.report(
                Gap(
                    .entriesDeleted, lost: UInt64(found.deleted.count),
                    "removed from the stream before they had an outcome: \(first)"
                        + (found.deleted.count > 1 ? " to \(last)" : "")))
        }
        guard found.count > 0 else { return try await self.sendAcks(control) }
        self.status.redelivered += found.count
        self.status.refused += found.refused
        // Shown before the acknowledgements, so that whoever sees no pending entries on the server also sees these
        // counts.
        self.show { $0.status.isCaughtUp = false }
        try await self.hand(deliver, control)
    }

    private func list(_ control: RedisConnection, _ command: RESPCommand) async throws(RedisError) -> [PendingEntry] {
        let answer = try await control.submit(command, timeout: self.driver.entriesTimeout).reply().value()
        if case .error(let text) = answer { throw .answer(text, to: "XPENDING") }
        guard let entries = PendingEntry.list(answer) else {
            throw .unexpectedAnswer(to: "XPENDING", "expected a list of pending entries")
        }
        return entries
    }

    // MARK: Outcomes and acknowledgements

    /// Delivers the batch; acknowledges its entries once every event has its outcome.
    private func hand(_ deliver: StreamDriver.Deliver, _ control: RedisConnection) async throws(ReadEnd) {
        let begun = ContinuousClock.now
        let ids = self.driver.batch.ids
        self.machine.handed(ids)
        let ended = try await self.driver.hand(deliver, since: begun)
        // Before the acknowledgements, which wait for the server.
        if self.driver.stallEnd == ended { self.show { $0.status.isCaughtUp = false } }
        self.ledger.owe(ids)
        do throws(RedisError) {
            try await self.sendAcks(control)
        } catch {
            throw .server(error)
        }
    }

    /// Sends acknowledgements; waits for the oldest only if too many are in flight.
    private func sendAcks(_ control: RedisConnection) async throws(RedisError) {
        while true {
            while let piece = self.ledger.nextToSend() {
                self.acks.append(control.submit(self.commands.acknowledge(piece)))
            }
            if self.ledger.isOnTheWay { return }
            try await self.confirmOldest()
        }
    }

    /// Waits until the server has acknowledged everything.
    func confirmAll(_ control: RedisConnection) async throws(RedisError) {
        while !self.ledger.isEmpty {
            try await self.sendAcks(control)
            try await self.confirmOldest()
        }
    }

    private func confirmOldest() async throws(RedisError) {
        if let text = try await self.acks.removeFirst().reply().errorMessage { throw .answer(text, to: "XACK") }
        self.ledger.confirmed()
    }
}

extension EntryID {
    /// The id before this one; the first id is returned unchanged.
    var predecessor: EntryID {
        if self.sequence > 0 { return EntryID(milliseconds: self.milliseconds, sequence: self.sequence - 1) }
        return self.milliseconds > 0 ? EntryID(milliseconds: self.milliseconds - 1, sequence: .max) : self
    }
}
