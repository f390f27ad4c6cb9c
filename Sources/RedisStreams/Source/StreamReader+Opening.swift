import ComponentKit
import Logging
import RESP
import StageKit

// Preparation before reading: queries to the server, and reading keys.
extension StreamReader {
    /// The stream at one moment.
    struct Look {
        /// The facts, or `nil` if the stream does not exist.
        var stream: StreamFacts?
    }

    /// Sends the queries, fills the stores from keys if necessary, and returns the id after which to read.
    func open(_ connection: RedisConnection, _ deliver: (EventBatch) async throws -> Void) async throws(End) -> EntryID
    {
        try await self.finishRemovals()
        while true {
            switch self.follower.opened(try await self.ask(connection)) {
            case .read(let cursor): return cursor
            case .gap(let gap, let response): throw .gap(gap, response)
            case .scan(let point, _):
                try await self.finishRemovals()
                guard case .keys(let keys) = self.streamSettings.bootstrap else { return point }
                self.logger.notice("bootstrap: reading keys", metadata: ["match": "\(keys.match)"])
                let reader = KeyReader(
                    keys, connection, self.batch, size: self.keySize, timeout: self.entriesTimeout,
                    policy: self.streamSettings.onOversized, self.stop, logger: self.logger
                ) { self.update { _ in } }
                self.isReadingKeys = true
                let (count, unusable) = try await reader.read(as: point, deliver)
                self.isReadingKeys = false
                self.keySize.reachedEnd()
                if self.stop.isStopped { return point }
                let facts = try await self.facts(connection)
                self.logger.notice(
                    "bootstrap: all keys read", metadata: ["keys": "\(count)", "unusable": "\(unusable)"])
                if let course = self.follower.scanned(facts?.stream) { throw .of(course) }
                return point
            }
        }
    }

    /// Makes remote stores complete their removals, and announces the resets.
    private func finishRemovals() async throws(End) {
        do {
            try await self.follower.stores.finishRemovals()
        } catch {
            throw (error as? RedisError).map { .server($0) } ?? .deliver(error)
        }
        try await self.announceResets()
    }

    /// Announces pending resets; a failure ends the run, like a failure to deliver a batch.
    func announceResets() async throws(End) {
        do {
            try await self.follower.announceResets(finished: true)
        } catch {
            throw .deliver(error)
        }
    }

    /// The timeout of a command that may return entries but does not block.
    var entriesTimeout: ReplyTimeout { self.streamSettings.entriesTimeout(self.settings) }

    /// Sends the query for the stream's facts.
    func look(_ connection: RedisConnection) -> PendingReply {
        connection.submit([self.questions.facts], timeout: self.entriesTimeout, leavesOutToFit: true)[0]
    }

    /// Queries the stream's facts; returns `nil` if the server refuses the query and the settings do not require them.
    private func facts(_ connection: RedisConnection) async throws(End) -> Look? {
        while true {
            if let look = try await self.facts(of: self.look(connection)) { return look }
            if !self.canCheck { return nil }
        }
    }

    /// Returns the facts from a reply, or `nil` if the query has to be repeated in another form, or if the server
    /// refuses it and the settings do not require the facts.
    func facts(of reply: PendingReply) async throws(End) -> Look? {
        do throws(RedisError) {
            let value = try await reply.reply().value()
            if self.questions.note(value) { return nil }
            if case .error(let text) = value {
                if text.hasPrefix(StreamFacts.missing) { return Look(stream: nil) }
                let error = RedisError.answer(text, to: "XINFO")
                guard error.isDenied else { throw error }
                guard self.streamSettings.onGap == .goOn else { throw error.withoutGapChecks("+xinfo|stream") }
                self.canCheck = false
                self.update { $0.status.detectsGaps = false }
                self.logger.logBlindReading(error, self.streamSettings.stream)
                return nil
            }
            guard let facts = StreamFacts(value) else {
                throw .unexpectedAnswer(to: "XINFO", "expected the facts of a stream")
            }
            return Look(stream: facts)
        } catch {
            throw .server(error)
        }
    }

    /// Sends all queries together, the one for the facts last, so that the other replies are no newer than the facts.
    private func ask(_ connection: RedisConnection) async throws(End) -> FollowMachine.Opening {
        while true {
            if let opening = try await self.askOnce(connection) { return opening }
        }
    }

    /// Sends all queries once, in the form that is assumed to work; returns `nil` if it does not.
    private func askOnce(_ connection: RedisConnection) async throws(End) -> FollowMachine.Opening? {
        let questions = self.follower.machine.questions
        let resolution = StartResolution(start: self.streamSettings.start)
        var commands: [RESPCommand] = [ServerIdentity.command]
        if let anchor = questions.anchor {
            commands.append(self.questions.ids(from: anchor.description, downTo: anchor.description))
        }
        let startCommand =
            questions.tail
            ? self.questions.ids(from: "+", downTo: "-") : questions.time ? RESPCommand("TIME") : nil
        if let startCommand { commands.append(startCommand) }
        if self.canCheck { commands.append(self.questions.facts) }
        var replies = connection.submit(commands, timeout: self.entriesTimeout, leavesOutToFit: true)[...]
        var opening = FollowMachine.Opening()
        do throws(RedisError) {
            let server = try await replies.removeFirst().reply().value()
            opening.server = ServerIdentity.runID(server)
            self.update { $0.status.clockOffset = ServerIdentity.clockOffset(server) ?? $0.status.clockOffset }
            if questions.anchor != nil {
                let answer = try await replies.removeFirst().reply().value()
                if self.questions.note(answer) { return nil }
                if case .error(let text) = answer { throw .answer(text, to: "XREVRANGE") }
                opening.anchor = answer.array?.isEmpty == false ? .present : .absent
            }
            var answer: RESPValue?
            if let startCommand {
                let value = try await replies.removeFirst().reply().value()
                if questions.tail, self.questions.note(value) { return nil }
                if case .error(let text) = value {
                    throw .answer(text, to: questions.tail ? "XREVRANGE" : startCommand.name)
                }
                answer = value
            }
            if questions.tail || questions.time || self.streamSettings.start.isFixed {
                opening.start = try resolution.cursor(answer)
            }
        } catch {
            throw .server(error)
        }
        guard let look = replies.popFirst() else {
            opening.isBlind = true
            return opening
        }
        guard let facts = try await self.facts(of: look) else {
            if self.canCheck { return nil }
            opening.isBlind = true
            return opening
        }
        opening.facts = facts.stream
        return opening
    }
}

extension RedisError {
    /// Returns the error that ends the run because gaps cannot be detected.
    ///
    /// - Parameter permissions: The permissions that are needed, as in `ACL SETUSER`.
    func withoutGapChecks(_ permissions: String) -> RedisError {
        let need =
            self.code == .permission
            ? "detecting lost entries needs \(permissions)" : "lost entries cannot be detected without it"
        return RedisError(
            self.code, "\(self.message); \(need), or set on_gap: continue to read without detection", isTransient: false
        )
    }
}

extension Logger {
    /// Logs that a stream is read although its gaps cannot be detected.
    func logBlindReading(_ error: RedisError, _ stream: String) {
        self.error(
            "gaps cannot be detected: entries that are trimmed before they are read are lost silently",
            metadata: ["stream": "\(stream)", "error": "\(error)"])
    }
}

/// The server process and its clock, in a reply to INFO.
enum ServerIdentity {
    /// The query for both.
    static var command: RESPCommand { RESPCommand("INFO", "server") }

    /// Returns the run id in a reply to INFO, or `nil` if the user lacks the permission or the reply does not contain
    /// it.
    static func runID(_ answer: RESPValue) -> String? {
        guard let id = self.line("run_id", in: answer), (1...64).contains(id.utf8.count) else { return nil }
        return String(id)
    }

    /// Returns the server's clock minus this machine's in seconds, or `nil` as above; servers before 6.2 do not report
    /// their time.
    static func clockOffset(
        _ answer: RESPValue, localMilliseconds: Int64 = WallClock.system.milliseconds
    ) -> Double? {
        guard let microseconds = self.line("server_time_usec", in: answer).flatMap({ Int64($0) }) else { return nil }
        return (Double(microseconds) / 1000 - Double(localMilliseconds)) / 1000
    }

    private static func line(_ name: String, in answer: RESPValue) -> Substring? {
        let line = answer.string?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }
        return line?.dropFirst(name.count + 1)
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
