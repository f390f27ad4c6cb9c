import ComponentKit
import Logging
import RESP
import RedisClient
import StageKit

// Preparation before reading: queries to the server, and reading keys.
extension StreamReader {
    /// Sends the queries and fills the stores from keys if necessary.
    func open(
        _ connection: RedisConnection, _ deliver: StreamDriver.Deliver
    ) async throws(ReadEnd) -> Logger.Metadata {
        let cursor = try await self.place(connection, deliver)
        return ["stream": "\(self.driver.streamSettings.stream)", "behind": "\(cursor)"]
    }

    /// Sends the queries, fills the stores from keys if necessary, and returns the id after which to read.
    private func place(
        _ connection: RedisConnection, _ deliver: StreamDriver.Deliver
    ) async throws(ReadEnd) -> EntryID {
        try await self.finishRemovals()
        while true {
            switch self.follower.opened(try await self.ask(connection)) {
            case .read(let cursor): return cursor
            case .gap(let gap, let response): throw .gap(gap, response)
            case .scan(let point, _):
                try await self.finishRemovals()
                guard case .keys(let keys) = self.driver.streamSettings.bootstrap else { return point }
                try await self.readKeys(keys, as: point, connection, deliver)
                if self.driver.stop.isStopped { return point }
                if let course = self.follower.scanned(try await self.facts(connection)?.stream) { throw .of(course) }
                return point
            }
        }
    }

    /// Fills the stores from keys.
    private func readKeys(
        _ keys: KeyBootstrap, as point: EntryID, _ connection: RedisConnection, _ deliver: StreamDriver.Deliver
    ) async throws(ReadEnd) {
        let driver = self.driver
        driver.logger.notice("bootstrap: reading keys", metadata: ["match": "\(keys.match)"])
        let reader = KeyReader(
            keys, connection, driver.batch, size: driver.sizes.keys, timeout: driver.entriesTimeout,
            policy: driver.streamSettings.onOversized, driver.stop, logger: driver.logger
        ) { driver.update { _ in } }
        driver.sizes.activity = .keys
        let (count, unusable) = try await reader.read(as: point, deliver)
        driver.sizes.activity = .facts
        driver.sizes.readAllKeys()
        if driver.stop.isStopped { return }
        driver.logger.notice("bootstrap: all keys read", metadata: ["keys": "\(count)", "unusable": "\(unusable)"])
    }

    /// Makes remote stores complete their removals, and announces the resets.
    private func finishRemovals() async throws(ReadEnd) {
        do {
            try await self.follower.stores.finishRemovals()
        } catch {
            throw ReadEnd.of(error)
        }
        try await self.announceResets()
    }

    /// Announces pending resets; a failure ends the run, like a failure to deliver a batch.
    func announceResets() async throws(ReadEnd) {
        do {
            try await self.follower.announceResets(finished: true)
        } catch {
            throw .deliver(error)
        }
    }

    /// Sends the query for the stream's facts.
    func sendFactsQuery(_ connection: RedisConnection) -> PendingReply {
        connection.submit([self.driver.questions.facts], timeout: self.driver.entriesTimeout, leavesOutToFit: true)[0]
    }

    /// Queries the stream's facts; returns `nil` if the server refuses the query and the settings do not require them.
    private func facts(_ connection: RedisConnection) async throws(ReadEnd) -> QueriedFacts? {
        while true {
            if let facts = try await self.facts(of: self.sendFactsQuery(connection)) { return facts }
            if !self.driver.canCheck { return nil }
        }
    }

    /// Returns the facts from a reply, or `nil` if the query has to be repeated in another form, or if the server
    /// refuses it and the settings do not require the facts.
    func facts(of reply: PendingReply) async throws(ReadEnd) -> QueriedFacts? {
        do throws(RedisError) {
            let value = try await reply.reply().value()
            if self.driver.questions.note(value) { return nil }
            do throws(RedisError) {
                return QueriedFacts(stream: try StreamFacts.answer(value))
            } catch {
                try self.driver.readBlindly(
                    after: error, needing: "+xinfo|stream", isRequired: self.driver.streamSettings.onGap != .goOn)
                return nil
            }
        } catch {
            throw .server(error)
        }
    }

    /// Sends all queries together, the one for the facts last, so that the other replies are no newer than the facts.
    private func ask(_ connection: RedisConnection) async throws(ReadEnd) -> FollowMachine.Opening {
        while true {
            if let opening = try await self.askOnce(connection) { return opening }
        }
    }

    /// Sends all queries once, in the form that is assumed to work; returns `nil` if it does not.
    private func askOnce(_ connection: RedisConnection) async throws(ReadEnd) -> FollowMachine.Opening? {
        let questions = self.follower.machine.questions
        let resolution = StartResolution(start: self.driver.streamSettings.start)
        var commands: [RESPCommand] = [ServerIdentity.command]
        if let anchor = questions.anchor {
            commands.append(self.driver.questions.ids(from: anchor.description, downTo: anchor.description))
        }
        let startCommand =
            questions.tail
            ? self.driver.questions.ids(from: "+", downTo: "-") : questions.time ? RESPCommand("TIME") : nil
        if let startCommand { commands.append(startCommand) }
        if self.driver.canCheck { commands.append(self.driver.questions.facts) }
        var replies = connection.submit(commands, timeout: self.driver.entriesTimeout, leavesOutToFit: true)[...]
        var opening = FollowMachine.Opening()
        do throws(RedisError) {
            let server = try await replies.removeFirst().reply().value()
            opening.server = ServerIdentity.runID(server)
            self.driver.noteClock(server)
            if questions.anchor != nil {
                let answer = try await replies.removeFirst().reply().value()
                if self.driver.questions.note(answer) { return nil }
                if case .error(let text) = answer { throw .answer(text, to: "XREVRANGE") }
                opening.anchor = answer.array?.isEmpty == false ? .present : .absent
            }
            var answer: RESPValue?
            if let startCommand {
                let value = try await replies.removeFirst().reply().value()
                if questions.tail, self.driver.questions.note(value) { return nil }
                if case .error(let text) = value {
                    throw .answer(text, to: questions.tail ? "XREVRANGE" : startCommand.name)
                }
                answer = value
            }
            if questions.tail || questions.time || self.driver.streamSettings.start.isFixed {
                opening.start = try resolution.cursor(answer)
            }
        } catch {
            throw .server(error)
        }
        guard let query = replies.popFirst() else {
            opening.isBlind = true
            return opening
        }
        guard let facts = try await self.facts(of: query) else {
            if self.driver.canCheck { return nil }
            opening.isBlind = true
            return opening
        }
        opening.facts = facts.stream
        return opening
    }
}

extension StreamStart {
    /// Whether the start is known without a query.
    fileprivate var isFixed: Bool {
        switch self {
        case .beginning, .after: true
        case .tail, .back, .resume: false
        }
    }
}
