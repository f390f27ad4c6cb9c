import ComponentKit
import Logging
import RESP
import StageKit

// The read loop: new entries, the worker's own backlog, entries that others have abandoned, and acknowledgements.
extension GroupReader {
    /// The timeout of a command that returns entries; longer than that of one that only returns numbers.
    private var readTimeout: ReplyTimeout { self.streamSettings.entriesTimeout(self.settings) }

    // MARK: New entries

    /// Reads entries that were not delivered to any worker and delivers them. The next read is sent ahead, unless this
    /// one returns few entries.
    func readNew(
        _ lines: Lines, _ keeper: GroupKeeper, _ deliver: (EventBatch) async throws -> Void
    ) async throws(End) {
        let asked = self.asked.take() ?? self.ask(lines.reading)
        let times = ReadTimes(sent: self.askedAt, block: .zero)
        keeper.setReading(true)
        let outline = await asked.reply.outline()
        keeper.setReading(false)
        if let outline, !self.stop.isStopped {
            self.machine.read(upTo: outline.last)
            self.isPrompt = outline.entries == asked.count || times.isOutdated(by: self.stallEnd)
            if self.machine.next(at: .now) == .read { self.asked = self.ask(lines.reading) }
        }
        lines.reading.readReplies()
        switch try await self.take(asked, outline, lines.reading) {
        case .nothing:
            do throws(RedisError) {
                try await self.confirmAll(lines.control)
            } catch {
                throw .server(error)
            }
            self.machine.readNothing()
            self.isPrompt = times.isOutdated(by: self.stallEnd)
            self.succeeded(isAtEnd: true)
            self.show { board in
                guard !self.isPrompt else { return }
                board.status.isCaughtUp = true
                board.status.lagEntries = 0
            }
        case .entries(let count, let last):
            self.machine.read(upTo: last)
            self.isPrompt = count == asked.count
            try await self.hand(deliver, lines.control)
            if times.isOutdated(by: self.stallEnd) { self.isPrompt = true }
            self.succeeded(isAtEnd: !self.isPrompt)
            self.show { board in
                board.status.cursor = max(board.status.cursor ?? .zero, last)
                board.status.isCaughtUp = !self.isPrompt
                if !self.isPrompt { board.status.lagEntries = 0 }
            }
        }
    }

    private func ask(_ reading: RedisConnection) -> Asked {
        let isPrompt = self.isPrompt || self.machine.hurries
        self.askedAt = .now
        let reply = reading.submit(
            encoded: isPrompt ? self.promptCommand : self.readCommand,
            timeout: self.streamSettings.readTimeout,
            outlinedFrom: StreamReader.outlinedFrom, leavesOutToFit: self.leavesOutToFit)
        return Asked(reply: reply, count: self.readCount)
    }

    /// Moves the entries of a reply into the batch. If the next read was sent based on an outline, the reply must match
    /// it.
    private func take(
        _ asked: Asked, _ outline: PendingReply.Outline?, _ reading: RedisConnection
    ) async throws(End) -> XReadReply.Content {
        do throws(RedisError) {
            // The batch takes the bytes, not the reply, so nothing refers to the reply when it is recycled.
            nonisolated(unsafe) let reply = try await asked.reply.reply()
            let content = unsafe try XReadReply.fill(
                self.batch, from: reply, after: .zero, limit: asked.count, of: "XREADGROUP",
                oversized: self.streamSettings.onOversized)
            unsafe reading.recycle(reply)
            if let outline, content != .entries(count: outline.entries, last: outline.last) {
                throw .unexpectedAnswer(
                    to: "XREADGROUP", "the number of entries or their last id differs from the first scan")
            }
            return content
        } catch {
            throw .server(error)
        }
    }

    // MARK: Redelivered entries

    /// Processes the next entries that were pending for the worker when it started or lost its connection.
    func readBacklog(
        _ control: RedisConnection, after id: EntryID?, _ deliver: (EventBatch) async throws -> Void
    ) async throws(End) {
        do {
            let query = self.commands.own(after: id, count: self.pageCount)
            let page = if let query { try await self.list(control, query) } else { [PendingEntry]() }
            guard let take = self.machine.ownPending(page) else { return }
            let gone = try await self.correct(take.corrections, control)
            self.machine.taking(take)
            var reply = GroupReply()
            if gone.count < take.deliveries.count {
                let command = self.commands.backlog(after: id ?? .zero, count: take.deliveries.count - gone.count)
                reply = try GroupReply(
                    backlog: try await control.submit(
                        command, timeout: self.readTimeout, leavesOutToFit: self.leavesOutToFit
                    ).reply().value())
            }
            reply.deleted += gone
            try await self.deliverAgain(reply, take, control, deliver)
            if self.size.isReduced { _ = self.size.succeeded() }
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
    func survey(_ control: RedisConnection, _ deliver: (EventBatch) async throws -> Void) async throws(End) {
        do {
            let look = try await self.look(control)
            if let look, look.group == nil {
                throw RedisError(.noGroup, "the consumer group \(self.group.name) does not exist", isTransient: true)
            }
            let count = self.pageCount
            let pending = try await self.list(control, self.commands.pending)
            let abandoned = try await self.list(
                control, self.commands.abandoned(idle: self.group.claimAfter, count: count))
            let gap = self.machine.surveyed(
                look?.stream, look?.group, pending, hurries: abandoned.count == count, at: .now)
            if let gap { try self.tell(gap) }
            self.status.pending = look?.group?.pending ?? pending.count
            let lag = look.flatMap { look in look.stream.flatMap { look.group?.lag(in: $0) } }
            self.show { board in
                if !board.status.isCaughtUp { board.status.lagEntries = lag }
            }
            for take in self.machine.takeOver(abandoned, of: self.commands.consumer) where !self.stop.isStopped {
                try await self.claim(take, control, deliver)
            }
            try await self.removeIdleConsumers(control)
        } catch {
            throw .of(error)
        }
    }

    /// Claims a run of entries, except those that another worker has claimed in the meantime.
    private func claim(
        _ take: GroupMachine.Take, _ control: RedisConnection, _ deliver: (EventBatch) async throws -> Void
    ) async throws {
        let command = self.commands.claim(
            from: take.first, count: take.deliveries.count, idle: self.group.claimAfter)
        self.machine.taking(take)
        var reply = try GroupReply(
            claim: try await control.submit(
                command, timeout: self.readTimeout, leavesOutToFit: self.leavesOutToFit
            ).reply().value())
        if reply.nameless > 0 {
            // Redis 6.2 has assigned them to this worker without returning their ids; reading the worker's backlog
            // returns them.
            let look = self.commands.backlog(after: take.first.predecessor, count: take.deliveries.count)
            let answer = try await control.submit(look, timeout: self.readTimeout).reply().value()
            reply.deleted += try GroupReply(backlog: answer).deleted
        }
        self.status.claimed += reply.entries.count
        if !reply.entries.isEmpty {
            self.logger.notice(
                "claimed entries",
                metadata: ["entries": "\(reply.entries.count)", "from": "\(take.first)", "group": "\(self.group.name)"])
        }
        try await self.deliverAgain(reply, take, control, deliver)
    }

    /// Delivers entries that were delivered before, and acknowledges those that no longer exist, so that the server
    /// forgets them.
    private func deliverAgain(
        _ reply: GroupReply, _ take: GroupMachine.Take, _ control: RedisConnection,
        _ deliver: (EventBatch) async throws -> Void
    ) async throws {
        if !reply.deleted.isEmpty {
            self.status.deleted += reply.deleted.count
            self.ledger.owe(reply.deleted)
            try self.tell(
                Gap(
                    .entriesDeleted, lost: UInt64(reply.deleted.count),
                    "removed from the stream before they had an outcome: \(reply.deleted[0])"
                        + (reply.deleted.count > 1 ? " to \(reply.deleted[reply.deleted.count - 1])" : "")))
        }
        guard !reply.entries.isEmpty else { return try await self.sendAcks(control) }
        self.status.redelivered += reply.entries.count
        self.status.refused += try self.batch.fill(
            reply.entries, take, self.machine, self.streamSettings.onOversized)
        // Shown before the acknowledgements, so that whoever sees no pending entries on the server also sees these
        // counts.
        self.show { $0.status.isCaughtUp = false }
        try await self.hand(deliver, control)
    }

    private func list(_ control: RedisConnection, _ command: RESPCommand) async throws(RedisError) -> [PendingEntry] {
        let answer = try await control.submit(command, timeout: self.readTimeout).reply().value()
        if case .error(let text) = answer { throw .answer(text, to: "XPENDING") }
        guard let entries = PendingEntry.list(answer) else {
            throw .unexpectedAnswer(to: "XPENDING", "expected a list of pending entries")
        }
        return entries
    }

    // MARK: Outcomes and acknowledgements

    /// Delivers the batch; acknowledges its entries once every event has its outcome.
    private func hand(_ deliver: (EventBatch) async throws -> Void, _ control: RedisConnection) async throws(End) {
        let begun = ContinuousClock.now
        let ids = self.batch.ids
        self.machine.handed(ids)
        do {
            try await deliver(self.batch)
        } catch {
            throw .deliver(error)
        }
        let ended = ContinuousClock.now
        if ended - begun > StalledBatch.grace {
            self.stallEnd = ended
            // Before the acknowledgements, which wait for the server.
            self.show { $0.status.isCaughtUp = false }
        }
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
