import Logging
import RESP
import StageKit

/// One run of a source: connects, finds where to begin, and reads until told to stop. `Follower` and `ReconnectPlan`
/// decide, this talks to the server.
///
/// Runs on the loop's thread from its first wait on; nothing else touches it.
final class StreamReader {
    let settings: RedisSettings
    /// Which of the source's streams this is.
    let index: Int
    let streamSettings: RedisStreamSettings
    let loop: RedisEventLoop
    let stop: StopSignal
    let logger: Logger
    /// Finds the server that has the stream.
    let directory: ServerDirectory
    /// Where parts of large replies are reported.
    private let arrivals: ProgressReporter
    let update: ((inout SourceBoard) -> Void) -> Void

    /// Hardly waits, and asks for as much as a reader may that is behind: for the first read of a connection and the one
    /// behind a full reply, so that it is known at once whether there is anything to catch up with.
    private(set) var promptCommand: XReadCommand
    private(set) var command: XReadCommand
    /// What part of the counts of both is asked for: less after replies that did not arrive.
    private var size = RequestSize() {
        didSet { (self.promptCommand, self.command) = Self.commands(self.streamSettings, self.size) }
    }
    /// When the last stalled batch had its outcomes, or `nil` if none was stalled.
    var stallEnd: ContinuousClock.Instant?
    /// The same as `size` for keys that stores are filled from.
    var keySize = RequestSize()
    /// Whether values are left out that a reply has no room for: set when a single entry is too large.
    private(set) var fitsReplies = false
    /// Asks about the stream without fetching what is in its entries.
    var questions: StreamQuestions
    /// Whether the current connection has come to reading the stream.
    private var isReading = false
    /// Whether it is reading keys.
    var isReadingKeys = false
    let batch = EventBatch()
    /// Decides where to read, and what to do where entries were lost.
    let follower: Follower
    /// Whether the server lets this user look at the stream.
    var canCheck = true
    /// When a lost connection is taken up again.
    var plan: ReconnectPlan
    /// What the server asked last has said of where the stream is, and how often one has since the last answer.
    private var redirection: Redirection?
    private var redirections = 0
    /// The time without a connection, for whoever traces.
    private var outage = OutageSpan()

    /// The read of a reader that is behind, and that of one that waits.
    private static func commands(
        _ settings: RedisStreamSettings, _ size: RequestSize
    ) -> (prompt: XReadCommand, waiting: XReadCommand) {
        let prompt = size.count(max(settings.readCount, settings.catchUpCount ?? 0))
        return (
            XReadCommand(stream: settings.stream, count: prompt, block: .milliseconds(1)),
            XReadCommand(
                stream: settings.stream, count: min(prompt, settings.readCount), block: settings.readBlock)
        )
    }

    /// What a reader is made with.
    struct Parts {
        /// Where the server is.
        var settings: RedisSettings
        /// Finds it.
        var directory: ServerDirectory
        /// What is read and how.
        var streamSettings: RedisStreamSettings
        /// Which of the source's streams that is.
        var index: Int
        /// What the events build.
        var stores: FedStores
        /// Where the stores outlive the process; nil for nowhere.
        var checkpoint: (any CheckpointKeeper)?
        /// Loads it and returns this stream's position.
        var loadPosition: () throws -> String?
        /// Where the reader runs.
        var loop: RedisEventLoop
        /// Ends it.
        var stop: StopSignal
        /// Where it logs.
        var logger: Logger
        /// Where parts of large replies are reported.
        var arrivals: ProgressReporter
    }

    init(_ parts: Parts, update: @escaping ((inout SourceBoard) -> Void) -> Void) {
        let streamSettings = parts.streamSettings
        self.settings = parts.settings
        self.directory = parts.directory
        self.streamSettings = streamSettings
        self.index = parts.index
        self.loop = parts.loop
        self.stop = parts.stop
        self.logger = parts.logger
        self.arrivals = parts.arrivals
        self.update = update
        (self.promptCommand, self.command) = Self.commands(streamSettings, RequestSize())
        self.questions = StreamQuestions(stream: streamSettings.stream)
        self.batch.stream = streamSettings.stream
        self.batch.streamIndex = parts.index
        self.follower = Follower(
            streamSettings, database: parts.settings.database, stores: parts.stores, index: parts.index,
            checkpoint: parts.checkpoint, loadPosition: parts.loadPosition, logger: parts.logger, update: update)
        self.plan = ReconnectPlan(streamSettings.reconnect)
    }

    /// What ends one connection's time.
    enum End: Error {
        /// The server or the way to it.
        case server(RedisError)
        /// Whoever the batches are delivered to.
        case deliver(any Error)
        /// Entries were lost.
        case gap(Gap, FollowMachine.Response)
    }

    /// Reads until told to stop, connecting again where that can help.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        try self.follower.loadCheckpoint()
        while !self.stop.isStopped {
            self.update { $0.status.state = .connecting }
            do throws(End) {
                try await self.readOneConnection(deliver)
            } catch {
                let isToRefill = self.follower.disconnected()
                if isToRefill {
                    self.logger.notice(
                        "the stores were emptied for another stream: reading again",
                        metadata: ["stream": "\(self.streamSettings.stream)"])
                }
                switch error {
                case .deliver(let error): throw error
                case .gap(let gap, let response):
                    try self.follower.respond(to: gap, response)
                    // At once, as the next connection may be long in coming.
                    try await self.follower.announceResets(finished: false)
                    if let delay = self.plan.delayAfterGap() { await self.loop.sleep(delay, until: self.stop) }
                case .server(let error):
                    if self.stop.isStopped { return }
                    // Closed to be read again: the server is well.
                    if isToRefill, error.code == .closed { continue }
                    if try self.asksForLess(after: error) { continue }
                    try await self.wait(after: error)
                }
            }
        }
    }

    /// What was read last was answered: failures before it do not count any more.
    func succeeded(isAtEnd: Bool) {
        self.redirections = 0
        self.plan.succeeded(isAtEnd: isAtEnd)
        if isAtEnd {
            if self.size.isReduced || self.fitsReplies { (self.size, self.fitsReplies) = (RequestSize(), false) }
        } else if self.size.isReduced {
            var size = self.size
            if size.succeeded() { self.logSize(size, "reading more entries at once again") }
            self.size = size
        }
    }

    /// Has less asked for from now on, if the failure may be due to the size of a reply. Returns whether that is certain, so
    /// that there is nothing to wait for; throws if nothing is left to be made smaller.
    private func asksForLess(after error: RedisError) throws(RedisError) -> Bool {
        guard error.mayBeTooMuch, self.isReading || self.isReadingKeys else { return false }
        let isCertain = error.code == .replyTooLarge
        if self.isReadingKeys {
            if isCertain, self.keySize.count(KeyReader.chunk) == 1 { throw error }
            self.keySize.failed()
            return isCertain
        }
        if self.promptCommand.count > 1 {
            self.size.failed()
            if isCertain { self.logSize(self.size, "a reply is too large: reading fewer entries at once", error) }
            return isCertain
        }
        guard isCertain else { return false }
        guard !self.fitsReplies else {
            let cursor = self.follower.machine.cursor?.description ?? "0-0"
            throw RedisError(
                .replyTooLarge,
                "\(error.message): the entry of \(self.streamSettings.stream) behind \(cursor) is too large to be read; "
                    + "delete it (XDEL), and have writers keep entries small", isTransient: false)
        }
        self.fitsReplies = true
        return true
    }

    private func logSize(_ size: RequestSize, _ message: Logger.Message, _ error: RedisError? = nil) {
        let count = size.count(max(self.streamSettings.readCount, self.streamSettings.catchUpCount ?? 0))
        var metadata: Logger.Metadata = ["stream": "\(self.streamSettings.stream)", "count": "\(count)"]
        if let error { metadata["error"] = "\(error)" }
        self.logger.log(level: error == nil ? .info : .warning, message, metadata: metadata)
    }

    /// Tells what went wrong and waits before the next attempt, unless the server has only said which one to ask; throws
    /// where another attempt cannot help.
    private func wait(after failure: RedisError) async throws(RedisError) {
        let error = self.directory.judged(failure)
        if let redirection = error.redirection, self.redirections < Redirection.limit {
            self.redirections += 1
            self.redirection = redirection
            self.logger.info(
                "the stream is on another server",
                metadata: ["stream": "\(self.streamSettings.stream)", "answer": "\(error)"])
            return
        }
        self.directory.forget()
        let delay = try self.plan.delay(after: error)
        self.outage.failed(error)
        self.update { $0.lost(error) }
        var more: Logger.Metadata = ["cursor": "\(self.follower.machine.cursor?.description ?? "not known yet")"]
        self.size.note(in: &more, self.promptCommand.count)
        self.logger.warnOfRetry(of: self.streamSettings.stream, after: error, in: delay, more)
        await self.loop.sleep(delay, until: self.stop)
    }

    private func readOneConnection(_ deliver: (EventBatch) async throws -> Void) async throws(End) {
        let connection: RedisConnection
        (self.isReading, self.isReadingKeys) = (false, false)
        self.questions = StreamQuestions(stream: self.streamSettings.stream)
        do throws(RedisError) {
            connection = try await self.directory.connect(
                for: Array(self.streamSettings.stream.utf8), following: self.redirection.take(), on: self.loop,
                stop: self.stop, logger: self.logger)
        } catch {
            throw .server(error)
        }
        connection.reportParts(to: self.arrivals)
        self.follower.stores.setInterrupt(of: self.index) { connection.close() }
        // While there was no connection, nothing could be interrupted.
        self.follower.takeRefill()
        defer {
            self.follower.stores.setInterrupt(of: self.index, nil)
            connection.close()
        }
        let isAgain = self.plan.connected()
        let cursor = try await self.open(connection, deliver)
        self.update { board in
            board.status.state = .reading
            if isAgain { board.status.reconnects += 1 }
        }
        let place: Logger.Metadata = ["stream": "\(self.streamSettings.stream)", "behind": "\(cursor)"]
        self.outage.end()
        if isAgain {
            self.logger.notice("reading the stream again", metadata: place)
        } else {
            self.logger.info("reading the stream", metadata: place)
        }
        self.isReading = true
        try await self.read(connection, from: cursor, deliver)
    }
}
