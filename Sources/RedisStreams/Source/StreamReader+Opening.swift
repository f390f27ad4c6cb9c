import Logging
import RESP
import StageKit

// What comes before the reading: questions to the server, keys to read, stores to empty.
extension StreamReader {
    /// The stream as it is now.
    struct Look {
        /// Nil where there is none.
        var stream: StreamFacts?
    }

    /// Goes on from the last checkpoint, where there is one that can be used.
    func loadCheckpoint() throws {
        guard self.streamSettings.start == .resume, let checkpoint = self.checkpoint else { return }
        do {
            guard let text = try checkpoint.load() else { return }
            let mark = try self.mark(in: text)
            self.machine = FollowMachine(self.streamSettings.policy, resuming: mark)
            self.logger.notice("resuming from the checkpoint", metadata: ["cursor": "\(mark.cursor)"])
        } catch let failure as CheckpointFailure {
            if case .gap(let gap, let response) = self.machine.lostCheckpoint(failure.description) {
                try self.respond(to: gap, response)
            }
        }
        self.show { _ in }
    }

    /// The mark in the position of a checkpoint, as `RedisStreamSource.position` writes it.
    private func mark(in text: String) throws(CheckpointFailure) -> StreamMark {
        guard let range = text.firstRange(of: "\nstream "),
            let mark = StreamMark(text: String(text[..<range.lowerBound]))
        else { throw CheckpointFailure("its position cannot be read") }
        let expected = "\(self.settings.database) \(self.streamSettings.stream)"
        guard text[range.upperBound...] == expected else {
            throw CheckpointFailure("it is of another stream: \(text[range.upperBound...]) (database and key)")
        }
        return mark
    }

    /// Asks what has to be known, fills the stores from keys where that is due, and returns where to read.
    func open(_ connection: RedisConnection, _ deliver: (EventBatch) async throws -> Void) async throws(End) -> EntryID
    {
        while true {
            let course = self.machine.opened(try await self.ask(connection))
            self.show { $0.status.cursor = self.machine.cursor }
            switch course {
            case .read(let cursor): return cursor
            case .gap(let gap, let response): throw .gap(gap, response)
            case .scan(let point, let isEmptying):
                if isEmptying { for store in self.stores { store.removeAll() } }
                guard case .keys(let keys) = self.streamSettings.bootstrap else { return point }
                self.logger.notice("filling the stores from keys", metadata: ["match": "\(keys.match)"])
                let reader = KeyReader(keys, connection, self.batch, self.stop)
                let (count, unusable) = try await reader.read(as: point, deliver)
                if self.stop.isStopped { return point }
                let facts = try await self.facts(of: connection.submit(StreamFacts.command(self.streamSettings.stream)))
                self.logger.notice("the keys are read", metadata: ["keys": "\(count)", "unusable": "\(unusable)"])
                if let course = self.machine.scanned(facts?.stream) { throw .of(course) }
                self.show { _ in }
                return point
            }
        }
    }

    /// Does what was decided about a gap, counts it and tells it; throws where it is to end the run.
    func respond(to gap: Gap, _ response: FollowMachine.Response) throws(RedisError) {
        self.logger.error(
            "entries of the stream are lost",
            metadata: [
                "stream": "\(self.streamSettings.stream)", "kind": "\(gap.kind.rawValue)", "detail": "\(gap.detail)",
                "lost": "\(gap.lost?.description ?? "not known")", "on_gap": "\(self.streamSettings.onGap.rawValue)",
            ])
        // In this order, so that no checkpoint can have the old position with new stores.
        self.show { board in
            board.status.gaps[gap.kind.rawValue, default: 0] += 1
            board.status.isCaughtUp = false
            board.status.lastError = "gap in the stream (\(gap.kind.rawValue)): \(gap.detail)"
        }
        switch response {
        case .accept: break
        case .halt:
            throw RedisError(
                .gap,
                "entries of the stream \(self.streamSettings.stream) are lost (\(gap.kind.rawValue)): "
                    + "\(gap.detail); on_gap is halt", isTransient: false)
        case .empty:
            self.checkpoint?.discard()
            for store in self.stores { store.removeAll() }
        case .keep:
            self.checkpoint?.discard()
            for store in self.stores where !(store is any SweepingStore) { store.removeAll() }
        }
    }

    /// Shows how it is, after a change of the machine's; what was not confirmed goes when the stores are filled.
    func show(_ change: (inout SourceBoard) -> Void) {
        if self.machine.phase == .following, let entry = self.machine.sweep {
            for case let store as any SweepingStore in self.stores { store.removeSnapshots(before: entry) }
            self.machine.swept()
        }
        let isFilling = self.machine.holdsLookUps
        // Before the board: whoever sees that the stores are filled finds them answering.
        for store in self.stores { store.freshness?.setFilling(isFilling) }
        self.update { board in
            board.status.isFilling = self.machine.phase != .following
            board.mark = self.machine.mark
            board.epoch = self.machine.epoch
            change(&board)
        }
    }

    /// The answer to a look at the stream; nil where the user may not look and the settings can do without.
    func facts(of reply: PendingReply) async throws(End) -> Look? {
        do throws(RedisError) {
            let value = try await reply.reply().value()
            if case .error(let text) = value {
                if text.hasPrefix(StreamFacts.missing) { return Look(stream: nil) }
                let error = RedisError.answer(text, to: "XINFO")
                guard error.code == .permission else { throw error }
                guard self.streamSettings.onGap == .goOn else {
                    throw RedisError(
                        .permission,
                        "\(error.message); it needs +xinfo|stream to notice lost entries, or on_gap: continue "
                            + "to do without", isTransient: false)
                }
                self.canCheck = false
                self.logger.error("lost entries cannot be noticed", metadata: ["error": "\(error)"])
                return nil
            }
            guard let facts = StreamFacts(value) else {
                throw .unexpectedAnswer(to: "XINFO", "an answer of another shape")
            }
            return Look(stream: facts)
        } catch {
            throw .server(error)
        }
    }

    /// Asks all questions at once, the look at the stream last: what is asked before it is no newer.
    private func ask(_ connection: RedisConnection) async throws(End) -> FollowMachine.Opening {
        let questions = self.machine.questions
        let stream = self.streamSettings.stream
        let resolution = StartResolution(stream: stream, start: self.streamSettings.start)
        var commands: [RESPCommand] = [RESPCommand("INFO", "server")]
        if let anchor = questions.anchor {
            commands.append(RESPCommand("XREVRANGE", stream, anchor, anchor, "COUNT", 1))
        }
        let startCommand = questions.tail || questions.time ? resolution.command : nil
        if let startCommand { commands.append(startCommand) }
        if self.canCheck { commands.append(StreamFacts.command(stream)) }
        var replies = connection.submit(commands)[...]
        var opening = FollowMachine.Opening()
        do throws(RedisError) {
            opening.server = ServerIdentity.runID(try await replies.removeFirst().reply().value())
            if questions.anchor != nil {
                let answer = try await replies.removeFirst().reply().value()
                if case .error(let text) = answer { throw .answer(text, to: "XREVRANGE") }
                opening.anchor = answer.array?.isEmpty == false ? .present : .absent
            }
            var answer: RESPValue?
            if let startCommand {
                let value = try await replies.removeFirst().reply().value()
                if case .error(let text) = value { throw .answer(text, to: startCommand.name) }
                answer = value
            }
            if questions.tail || questions.time || self.streamSettings.start.isFixed {
                opening.start = try resolution.cursor(answer)
            }
        } catch {
            throw .server(error)
        }
        guard let look = replies.popFirst(), let facts = try await self.facts(of: look) else {
            opening.isBlind = true
            return opening
        }
        opening.facts = facts.stream
        return opening
    }
}

/// Which process a server is.
enum ServerIdentity {
    /// The run id in an answer to INFO; nil where the user may not ask, or it is not told.
    static func runID(_ answer: RESPValue) -> String? {
        let line = answer.string?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("run_id:") }
        guard let id = line?.dropFirst("run_id:".count), (1...64).contains(id.utf8.count) else { return nil }
        return String(id)
    }
}

extension StreamStart {
    /// Whether it is known without asking.
    fileprivate var isFixed: Bool {
        switch self {
        case .beginning, .after: true
        case .tail, .back, .resume: false
        }
    }
}

extension RESPCommand {
    /// A command with two ids.
    fileprivate init(_ name: String, _ key: String, _ first: EntryID, _ last: EntryID, _ word: String, _ count: Int) {
        self.init(name, key, first.description, last.description, word, count)
    }
}
