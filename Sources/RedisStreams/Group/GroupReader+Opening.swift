import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

// The start and end of a connection: preparation before reading, and leaving the group.
extension GroupReader {
    /// Opens both connections; gives up if the worker is stopped in the meantime. Afterwards the reader handles the
    /// stop itself: entries in flight are finished and acknowledged.
    func connect() async throws(RedisError) -> Link {
        let lifeline = StopSignal()
        let token = self.driver.stop.onStop { lifeline.stop() }
        defer { self.driver.stop.forget(token) }
        let control = try await self.driver.connect(stop: lifeline)
        do throws(RedisError) {
            let reading = try await self.driver.connect(stop: lifeline)
            // If the user lacks the permission, a blocked read is ended by closing its connection.
            let answer = try await reading.submit(RESPCommand("CLIENT", "ID")).reply().value()
            return Link(control: control, reading: reading, readingID: answer.integer)
        } catch {
            control.close()
            throw error
        }
    }

    /// Acknowledges the entries that have their outcome, and ensures that the group exists.
    func open(_ link: Link, _ deliver: StreamDriver.Deliver) async throws(ReadEnd) -> Logger.Metadata {
        do throws(RedisError) {
            try await self.confirmAll(link.control)
            try await self.openGroup(link.control)
        } catch {
            throw .server(error)
        }
        return ["group": "\(self.group.name)", "consumer": "\(self.commands.consumer)"]
    }

    /// Ensures that the group exists: creates it, or recreates it if it is lost.
    private func openGroup(_ control: RedisConnection) async throws(RedisError) {
        // Only for the lag in seconds: without the permission, this machine's clock counts.
        self.driver.noteClock(try await control.submit(ServerIdentity.command).reply().value())
        guard let facts = try await self.queryFacts(control) else {
            // Nothing can be queried, so the group is accepted as it is.
            self.machine.openedBlindly()
            let start = try await self.place(control)
            _ = try await self.create(control, at: self.machine.place?.description ?? start)
            return
        }
        switch self.machine.opened(facts.stream, facts.group) {
        case .goOn: break
        case .create:
            let isMade = try await self.create(control, at: try await self.place(control))
            if isMade {
                self.driver.logger.notice("created the consumer group", metadata: ["group": "\(self.group.name)"])
            }
        case .heal(let gap, let id, let pending):
            try self.report(gap)
            guard try await self.create(control, at: id.description) else { return }
            self.driver.logger.notice(
                "created the consumer group again", metadata: ["group": "\(self.group.name)", "behind": "\(id)"])
            for part in PendingEntry.parts(of: pending) where part.consumer != self.commands.consumer {
                _ = try await control.command(
                    self.commands.restore(
                        part.ids[...], of: part.consumer, idle: part.idle, deliveries: part.deliveries))
            }
        }
    }

    /// Queries the stream and the group; returns `nil` if the server refuses the query and the settings do not
    /// require the facts.
    func queryFacts(_ control: RedisConnection) async throws(RedisError) -> QueriedFacts? {
        guard self.driver.canCheck else { return nil }
        var answers: [RESPValue] = []
        repeat {
            let commands = [self.driver.questions.facts, GroupFacts.command(self.commands.stream)]
            answers = []
            for reply in control.submit(commands, timeout: self.driver.entriesTimeout, leavesOutToFit: true) {
                answers.append(try await reply.reply().value())
            }
        } while self.driver.questions.note(answers[0])
        do throws(RedisError) {
            guard let stream = try StreamFacts.answer(answers[0]) else { return QueriedFacts() }
            if case .error(let text) = answers[1] {
                if text.hasPrefix(StreamFacts.missing) { return QueriedFacts() }
                throw .answer(text, to: "XINFO")
            }
            return QueriedFacts(stream: stream, group: try GroupFacts.find(self.group.name, in: answers[1]))
        } catch {
            try self.driver.readBlindly(
                after: error, needing: "+xinfo|stream and +xinfo|groups", isRequired: self.machine.halts)
            return nil
        }
    }

    /// Creates the group; returns `false` if somebody else already has.
    private func create(_ control: RedisConnection, at place: String) async throws(RedisError) -> Bool {
        let answer = try await control.submit(self.commands.create(at: place)).reply().value()
        guard case .error(let text) = answer else { return true }
        if text.hasPrefix("BUSYGROUP") { return false }
        throw .answer(text, to: "XGROUP")
    }

    /// Returns the start of a new group, in XGROUP syntax. The server resolves `$`, the end, at the moment that it
    /// creates the group, and stores the id: unlike with XREAD, nothing is lost in between.
    private func place(_ control: RedisConnection) async throws(RedisError) -> String {
        let resolution = StartResolution(start: self.driver.streamSettings.start)
        switch self.driver.streamSettings.start {
        case .tail, .resume: return "$"
        case .beginning, .after: return try resolution.cursor(nil).description
        case .back: return try resolution.cursor(try await control.command(RESPCommand("TIME"))).description
        }
    }

    // MARK: Leaving

    /// Waits for the reply to a read that was sent ahead; returns whether no read can be in flight any more.
    func endRead(_ reading: RedisConnection, _ keeper: GroupKeeper) async -> Bool {
        guard let asked = self.asked.take() else { return true }
        keeper.setReading(true)
        defer { keeper.setReading(false) }
        _ = await asked.reply.outline()
        reading.readReplies()
        return (try? await asked.reply.reply()) != nil
    }

    /// Leaves the group in order: acknowledges everything, hands back unprocessed entries, and removes the worker from
    /// the group if it has no entries left.
    ///
    /// - Parameter isReadOver: Whether no read is in flight that could still return entries, which would be removed
    ///   with the worker.
    func leave(_ control: RedisConnection, isReadOver: Bool) async {
        do throws(RedisError) {
            try await self.confirmAll(control)
            let handedBack = try await self.handBack(control)
            guard handedBack == 0, isReadOver else {
                self.driver.logger.withoutRateLimit.notice(
                    "left the consumer group", metadata: ["handed_back": "\(handedBack)"])
                return
            }
            let lost = try await control.command(self.commands.leave).integer ?? 0
            if lost > 0 {
                self.driver.logger.withoutRateLimit.error(
                    "another process used the same consumer name: its pending entries were removed",
                    metadata: ["consumer": "\(self.commands.consumer)", "entries": "\(lost)"])
            }
            self.driver.logger.withoutRateLimit.notice("left the consumer group", metadata: ["handed_back": "0"])
        } catch {
            self.driver.logger.withoutRateLimit.warning(
                "cannot leave the consumer group: other workers claim the pending entries after claim_after",
                metadata: ["error": "\(error)", "unconfirmed": "\(self.ledger.count)"])
        }
    }

    /// Tries once more to leave in order, if the worker was stopped while it had no connection.
    func leaveAnew() async {
        guard self.driver.plan.wasConnected else { return }
        do throws(RedisError) {
            let control = try await self.driver.connect(stop: StopSignal())
            // The earlier read was lost with its connection, which the server may not have noticed yet.
            await self.leave(control, isReadOver: false)
            control.close()
        } catch {
            self.driver.logger.withoutRateLimit.warning(
                "cannot leave the consumer group", metadata: ["error": "\(error)"])
        }
    }

    /// Makes all entries of this worker look abandoned, so that others claim them immediately; returns their number.
    private func handBack(_ control: RedisConnection) async throws(RedisError) -> Int {
        var handedBack = 0
        var last: EntryID?
        while let query = self.commands.own(after: last) {
            let answer = try await control.command(query)
            guard let page = PendingEntry.list(answer) else {
                throw .unexpectedAnswer(to: "XPENDING", "expected a list of pending entries")
            }
            // Entries that were only read ahead are handed back as if they had not been delivered.
            let known = page.map { entry in
                var entry = entry
                entry.deliveries = self.machine.handOvers(of: entry)
                return entry
            }
            for part in PendingEntry.parts(of: known) {
                _ = try await control.command(self.commands.handBack(part.ids[...], deliveries: part.deliveries))
            }
            handedBack += page.count
            guard let end = page.last?.id else { break }
            last = end
        }
        return handedBack
    }
}

extension PendingEntry {
    /// Entries of one worker with the same number of deliveries.
    struct Part: Equatable, Sendable {
        /// The worker.
        var consumer: String
        /// The number of deliveries of each entry.
        var deliveries: Int
        /// The shortest idle time of these entries.
        var idle: Duration
        /// Their ids, in order.
        var ids: [EntryID]
    }

    /// Groups entries into parts that fit into one command each.
    static func parts(of entries: [PendingEntry]) -> [Part] {
        var parts: [Part] = []
        for entry in entries {
            let index = parts.firstIndex { $0.consumer == entry.consumer && $0.deliveries == entry.deliveries }
            if let index {
                parts[index].ids.append(entry.id)
                parts[index].idle = min(parts[index].idle, entry.idle)
            } else {
                parts.append(
                    Part(
                        consumer: entry.consumer, deliveries: entry.deliveries, idle: entry.idle, ids: [entry.id]))
            }
        }
        return parts
    }
}
