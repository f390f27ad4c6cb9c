import Logging
import RESP
import StageKit

/// One run of a source that is a worker of a group: connects, sees to the group, finishes what it has, takes over what
/// others have left, and reads what is new, until told to stop. `GroupMachine` decides, this acts.
///
/// Two connections, on one thread: one waits for new entries, the other does all that must not wait behind that. Runs on
/// the loop's thread from its first wait on; nothing else touches it.
final class GroupReader {
    let settings: RedisSettings
    let directory: ServerDirectory
    let streamSettings: RedisStreamSettings
    let group: GroupSettings
    let commands: GroupCommands
    let loop: RedisEventLoop
    let stop: StopSignal
    let logger: Logger
    /// Where parts of large replies are reported.
    private let arrivals: ProgressReporter
    let update: ((inout SourceBoard) -> Void) -> Void
    let batch = EventBatch()
    /// Decides what is done next.
    var machine: GroupMachine
    /// What has its outcome and is not confirmed.
    var ledger = AckLedger()
    /// The confirmations that are waited for, in the order of the ledger's pieces.
    var acks: [PendingReply] = []
    /// A read that was sent ahead.
    var asked: Asked?
    /// When the read that was sent last was sent.
    var askedAt = ContinuousClock.now
    /// When the last stalled batch had its outcomes, or `nil` if none was stalled.
    var stallEnd: ContinuousClock.Instant?
    /// What part of the allowed number of entries is asked for: less after replies that did not arrive.
    var size = RequestSize() {
        didSet { if self.size != oldValue { self.makeReads() } }
    }
    /// Whether values are left out that a reply has no room for: set when a single entry is too large.
    private var fitsReplies = false
    /// Asks about the stream without fetching what is in its entries.
    var questions: StreamQuestions
    /// Whether the next read is not to wait.
    var isPrompt = true
    /// How the group is doing.
    var status: GroupStatus
    /// Whether the server lets this user look at the stream and its groups.
    var canLook = true
    /// When a lost connection is taken up again.
    var plan: ReconnectPlan
    /// The time without a connection, for whoever traces.
    private var outage = OutageSpan()
    /// The reads, encoded: one that waits for a while and one that hardly does.
    private(set) var readCommand: [UInt8] = []
    private(set) var promptCommand: [UInt8] = []

    /// A read in flight.
    struct Asked {
        /// Its reply.
        let reply: PendingReply
        /// The most entries of the reply.
        let count: Int
    }

    init(
        settings: RedisSettings, directory: ServerDirectory, streamSettings: RedisStreamSettings, group: GroupSettings,
        consumer: String, loop: RedisEventLoop, stop: StopSignal, logger: Logger, arrivals: ProgressReporter,
        update: @escaping ((inout SourceBoard) -> Void) -> Void
    ) {
        self.settings = settings
        self.directory = directory
        self.streamSettings = streamSettings
        self.group = group
        self.commands = GroupCommands(stream: streamSettings.stream, group: group.name, consumer: consumer)
        self.loop = loop
        self.stop = stop
        self.logger = logger
        self.arrivals = arrivals
        self.update = update
        self.batch.stream = streamSettings.stream
        self.machine = GroupMachine(
            GroupMachine.Policy(
                interval: streamSettings.checkInterval, maxDeliveries: group.maxDeliveries,
                readCount: streamSettings.readCount, halts: streamSettings.onGap == .halt))
        self.status = GroupStatus(name: group.name, consumer: consumer)
        self.plan = ReconnectPlan(streamSettings.reconnect)
        self.questions = StreamQuestions(stream: streamSettings.stream)
        self.makeReads()
    }

    /// Whether values are left out of the next replies if those have no room for them.
    var leavesOutToFit: Bool { self.fitsReplies && self.readCount == 1 }

    /// The most entries in one read, and in one page of pending entries.
    var readCount: Int { self.size.count(self.streamSettings.readCount) }
    var pageCount: Int { min(self.readCount, GroupCommands.pageSize) }

    private func makeReads() {
        // What others have left is looked for between two reads, so none waits for longer than the time between two looks.
        let block = min(self.streamSettings.readBlock, self.streamSettings.checkInterval)
        self.readCommand = self.commands.read(count: self.readCount, block: block)
        self.promptCommand = self.commands.read(count: self.readCount, block: .milliseconds(1))
    }

    /// What ends the time of a pair of connections.
    enum End: Error {
        /// The server or the way to it.
        case server(RedisError)
        /// Whoever the batches are delivered to.
        case deliver(any Error)

        /// What an error means that came up between server and stages, where what those throw is told apart already.
        static func of(_ error: any Error) -> End {
            switch error {
            case let error as End: error
            case let error as RedisError: .server(error)
            default: .deliver(error)
            }
        }
    }

    /// The two connections.
    struct Lines {
        /// For everything that is answered at once.
        let control: RedisConnection
        /// For reads that wait.
        let reading: RedisConnection
        /// The server's number of the latter, nil where it does not tell.
        let readingID: Int64?
    }

    /// Reads until told to stop, connecting again where that can help; then hands back what it has.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        self.show { $0.status.state = .connecting }
        while !self.stop.isStopped {
            do throws(End) {
                try await self.readOneConnection(deliver)
            } catch {
                // What was on its way may not have come: it is sent again before anything is read.
                self.ledger.disconnected()
                self.acks = []
                self.asked = nil
                switch error {
                case .deliver(let error): throw error
                // The halt stands, whether or not somebody has asked for the end meanwhile.
                case .server(let error) where error.code == .gap: throw error
                case .server(let error) where error.code == .noGroup:
                    if let delay = self.plan.delayAfterGap() { await self.loop.sleep(delay, until: self.stop) }
                case .server(let error):
                    if self.stop.isStopped { return await self.leaveAnew() }
                    if self.asksForLess(after: error) { continue }
                    try await self.wait(after: error)
                }
            }
        }
    }

    /// What was read last was answered: failures before it do not count any more.
    func succeeded(isAtEnd: Bool) {
        self.plan.succeeded(isAtEnd: isAtEnd)
        if isAtEnd {
            if self.size.isReduced || self.fitsReplies { (self.size, self.fitsReplies) = (RequestSize(), false) }
        } else if self.size.isReduced {
            _ = self.size.succeeded()
        }
    }

    /// Has less asked for from now on, if the failure may be due to the size of a reply. Returns whether that is certain, so
    /// that there is nothing to wait for.
    private func asksForLess(after error: RedisError) -> Bool {
        guard error.mayBeTooMuch else { return false }
        let isCertain = error.code == .replyTooLarge
        if self.readCount > 1 {
            self.size.failed()
            guard isCertain else { return false }
            self.logger.warning(
                "a reply is too large: reading fewer entries at once",
                metadata: [
                    "stream": "\(self.streamSettings.stream)", "group": "\(self.group.name)",
                    "count": "\(self.readCount)",
                    "error": "\(error)",
                ])
            return true
        }
        guard isCertain, !self.fitsReplies else { return false }
        self.fitsReplies = true
        return true
    }

    /// Tells what went wrong and waits before the next attempt; throws where another attempt cannot help.
    private func wait(after failure: RedisError) async throws(RedisError) {
        let error = self.directory.judged(failure)
        self.directory.forget()
        let delay = try self.plan.delay(after: error)
        self.outage.failed(error)
        self.show { $0.lost(error) }
        var more: Logger.Metadata = ["group": "\(self.group.name)", "unconfirmed": "\(self.ledger.count)"]
        self.size.note(in: &more, self.readCount)
        self.logger.warnOfRetry(of: self.streamSettings.stream, after: error, in: delay, more)
        await self.loop.sleep(delay, until: self.stop)
    }

    private func readOneConnection(_ deliver: (EventBatch) async throws -> Void) async throws(End) {
        let lines: Lines
        do throws(RedisError) {
            lines = try await self.connect()
        } catch {
            throw .server(error)
        }
        defer {
            lines.reading.close()
            lines.control.close()
        }
        lines.reading.reportParts(to: self.arrivals)
        lines.control.reportParts(to: self.arrivals)
        self.questions = StreamQuestions(stream: self.streamSettings.stream)
        let isAgain = self.plan.connected()
        do throws(RedisError) {
            try await self.confirmAll(lines.control)
            try await self.open(lines.control)
        } catch {
            throw .server(error)
        }
        self.show { board in
            board.status.state = .reading
            if isAgain { board.status.reconnects += 1 }
        }
        self.outage.end()
        self.logger.log(
            level: isAgain ? .notice : .info, isAgain ? "reading the stream again" : "reading the stream",
            metadata: ["group": "\(self.group.name)", "consumer": "\(self.commands.consumer)"])
        let keeper = GroupKeeper(
            control: lines.control, reading: lines.reading, readingID: lines.readingID, commands: self.commands,
            claimAfter: self.group.claimAfter, stop: self.stop)
        var failure: End?
        let isReadOver = await withTaskGroup(of: Void.self) { tasks -> Bool in
            tasks.addTask { await keeper.run() }
            defer { keeper.end() }
            do throws(End) {
                try await self.read(lines, keeper, deliver)
            } catch {
                failure = error
            }
            // A server that has failed is not waited for.
            if case .server? = failure { return false }
            return self.stop.isStopped ? await self.endRead(lines.reading, keeper) : false
        }
        if case .server(let error)? = failure { throw .server(error) }
        // The keeper has ended, so that none of its signs of life comes behind the handing back.
        if self.stop.isStopped {
            await self.leave(lines.control, isReadOver: isReadOver)
        } else {
            // What has its outcome is confirmed, and what ended the run stays this worker's.
            try? await self.confirmAll(lines.control)
        }
        if let failure { throw failure }
    }

    /// Does one thing after another, as the machine says, until told to stop.
    private func read(
        _ lines: Lines, _ keeper: GroupKeeper, _ deliver: (EventBatch) async throws -> Void
    ) async throws(End) {
        while !self.stop.isStopped {
            switch self.machine.next(at: .now) {
            case .backlog(let id): try await self.readBacklog(lines.control, after: id, deliver)
            case .survey: try await self.survey(lines.control, deliver)
            case .read: try await self.readNew(lines, keeper, deliver)
            }
        }
    }

    /// Shows how it is, after a change.
    func show(_ change: (inout SourceBoard) -> Void) {
        self.update { board in
            change(&board)
            board.status.group = self.status
        }
    }

    /// Tells a gap; throws where it is to end the run.
    func tell(_ gap: Gap) throws(RedisError) {
        self.logger.error(
            "entries of the stream are lost",
            metadata: [
                "stream": "\(self.streamSettings.stream)", "group": "\(self.group.name)",
                "kind": "\(gap.kind.rawValue)", "detail": "\(gap.detail)",
                "lost": "\(gap.lost?.description ?? "not known")", "on_gap": "\(self.streamSettings.onGap.rawValue)",
            ])
        self.show { board in
            board.status.gaps[gap.kind.rawValue, default: 0] += 1
            board.status.lastError = "gap in the stream (\(gap.kind.rawValue)): \(gap.detail)"
        }
        guard self.machine.halts else { return }
        throw .halted(by: gap, in: self.streamSettings.stream)
    }
}
