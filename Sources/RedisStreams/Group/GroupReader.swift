import ComponentKit
import Logging
import RESP
import StageKit

/// One run of a source that is a worker of a group: connects, ensures that the group exists, finishes its own backlog,
/// claims entries that others have abandoned, and reads new entries, until it is stopped. `GroupMachine` decides; the
/// reader acts.
///
/// Uses two connections, on one thread: one waits for new entries, the other sends everything that must not wait for
/// them. Runs on the loop's thread after its first suspension; nothing else accesses it.
final class GroupReader {
    let settings: RedisSettings
    let directory: ServerDirectory
    let streamSettings: RedisStreamSettings
    let group: GroupSettings
    let commands: GroupCommands
    let loop: RedisEventLoop
    let stop: StopSignal
    let logger: Logger
    /// Receives a report for each part of a large reply.
    private let arrivals: ProgressReporter
    let update: ((inout SourceBoard) -> Void) -> Void
    let batch = EventBatch()
    /// Decides the next step.
    var machine: GroupMachine
    /// The entries that have their outcome and are not acknowledged.
    var ledger = AckLedger()
    /// The replies to acknowledgements in flight, in the order of the ledger's pieces.
    var acks: [PendingReply] = []
    /// A read that was sent ahead.
    var asked: Asked?
    /// The time at which the last read was sent.
    var askedAt = ContinuousClock.now
    /// When the last stalled batch had its outcomes, or `nil` if none was stalled.
    var stallEnd: ContinuousClock.Instant?
    /// The fraction of the maximum number of entries to request; reduced after replies that did not arrive.
    var size = RequestSize() {
        didSet { if self.size != oldValue { self.makeReads() } }
    }
    /// Whether values that do not fit into a reply are left out; set when a single entry is too large.
    private var fitsReplies = false
    /// Queries the stream without fetching the contents of its entries.
    var questions: StreamQuestions
    /// Whether the next read should not wait.
    var isPrompt = true
    /// The status of the group.
    var status: GroupStatus
    /// Decides when to remove the consumers of workers that no longer exist.
    var idleConsumers: IdleConsumers
    /// Whether the user has permission to query the stream and its groups.
    var canLook = true
    /// Decides when to reconnect.
    var plan: ReconnectPlan
    /// The time without a connection, for tracing.
    private var outage = OutageSpan()
    /// The encoded reads: one that waits for a while and one that hardly waits.
    private(set) var readCommand: [UInt8] = []
    private(set) var promptCommand: [UInt8] = []

    /// A read in flight.
    struct Asked {
        /// The reply.
        let reply: PendingReply
        /// Maximum number of entries in the reply.
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
        self.idleConsumers = IdleConsumers(group, surveyInterval: streamSettings.checkInterval)
        self.makeReads()
    }

    /// Whether values that do not fit into the next replies are left out.
    var leavesOutToFit: Bool { self.fitsReplies && self.readCount == 1 }

    /// Maximum number of entries in one read, and in one page of pending entries.
    var readCount: Int { self.size.count(self.streamSettings.readCount) }
    var pageCount: Int { min(self.readCount, GroupCommands.pageSize) }

    private func makeReads() {
        // Abandoned entries are queried between two reads, so no read waits longer than the time between two surveys.
        let block = min(self.streamSettings.readBlock, self.streamSettings.checkInterval)
        self.readCommand = self.commands.read(count: self.readCount, block: block)
        self.promptCommand = self.commands.read(count: self.readCount, block: .milliseconds(1))
    }

    /// The reason that a pair of connections ended.
    enum End: Error {
        /// The server or the connection to it failed.
        case server(RedisError)
        /// Delivering a batch failed.
        case deliver(any Error)

        /// Classifies an error. Errors of the stages are already wrapped in `deliver`, so a `RedisError` comes from the
        /// server.
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
        /// For commands that are answered immediately.
        let control: RedisConnection
        /// For reads that wait.
        let reading: RedisConnection
        /// The server's id of the connection that reads, or `nil` if not reported.
        let readingID: Int64?
    }

    /// Reads until the worker is stopped, reconnecting if that can help; then hands back its pending entries.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        self.show { $0.status.state = .connecting }
        while !self.stop.isStopped {
            do throws(End) {
                try await self.readOneConnection(deliver)
            } catch {
                // Acknowledgements in flight may not have arrived; they are sent again before anything is read.
                self.ledger.disconnected()
                self.acks = []
                self.asked = nil
                switch error {
                case .deliver(let error): throw error
                // The halt applies even if a stop was requested in the meantime.
                case .server(let error) where error.code == .gap: throw error
                case .server(let error) where error.code == .noGroup:
                    if let delay = self.plan.delayAfterGap() { await self.loop.sleep(delay, until: self.stop) }
                case .server(let error):
                    if self.stop.isStopped { return await self.leaveAnew() }
                    let reduction = self.asksForLess(after: error)
                    if reduction == .certain { continue }
                    try await self.wait(after: error, reduction)
                }
            }
        }
    }

    /// Records a successful read; earlier failures no longer count.
    func succeeded(isAtEnd: Bool) {
        self.plan.succeeded(isAtEnd: isAtEnd)
        if isAtEnd {
            if self.size.isReduced || self.fitsReplies { (self.size, self.fitsReplies) = (RequestSize(), false) }
        } else if self.size.isReduced {
            _ = self.size.succeeded()
        }
    }

    /// Reduces the size of requests if the size of a reply may have caused the failure.
    private func asksForLess(after error: RedisError) -> RequestReduction {
        guard error.mayBeTooMuch else { return .none }
        let isCertain = error.code == .replyTooLarge
        if self.readCount > 1 {
            self.size.failed()
            guard isCertain else { return .possible }
            self.logger.warning(
                "reply too large: read size reduced",
                metadata: [
                    "stream": "\(self.streamSettings.stream)", "group": "\(self.group.name)",
                    "count": "\(self.readCount)",
                    "error": "\(error)",
                ])
            return .certain
        }
        guard isCertain, !self.fitsReplies else { return .none }
        self.fitsReplies = true
        return .certain
    }

    /// Logs the failure and waits before the next attempt.
    ///
    /// - Throws: The error if retrying cannot help.
    private func wait(after failure: RedisError, _ reduction: RequestReduction) async throws(RedisError) {
        let error = self.directory.judged(failure)
        self.directory.forget()
        let delay = try self.plan.delay(after: error, reduction)
        self.outage.failed(error)
        self.show { $0.lost(error) }
        var more: Logger.Metadata = ["group": "\(self.group.name)", "unconfirmed": "\(self.ledger.count)"]
        self.size.note(in: &more, self.readCount)
        self.logger.logRetry(of: self.streamSettings.stream, after: error, in: delay, more)
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
            // Do not wait for a server that has failed.
            if case .server? = failure { return false }
            return self.stop.isStopped ? await self.endRead(lines.reading, keeper) : false
        }
        if case .server(let error)? = failure { throw .server(error) }
        // The keeper has ended, so none of its heartbeats follows after entries were handed back.
        if self.stop.isStopped {
            await self.leave(lines.control, isReadOver: isReadOver)
        } else {
            // Entries with an outcome are acknowledged; those that ended the run stay pending for this worker.
            try? await self.confirmAll(lines.control)
        }
        if let failure { throw failure }
    }

    /// Carries out the machine's steps one after another until the worker is stopped.
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

    /// Publishes the state after a change.
    func show(_ change: (inout SourceBoard) -> Void) {
        self.update { board in
            change(&board)
            board.status.group = self.status
        }
    }

    /// Reports a gap.
    ///
    /// - Throws: `RedisError` if the gap ends the run.
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
