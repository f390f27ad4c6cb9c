import ComponentKit
import Logging
import RESP
import StageKit

/// One run of a source: connects, determines where to begin, and reads until it is stopped. `Follower` and
/// `ReconnectPlan` decide; the reader talks to the server.
///
/// Runs on the loop's thread after its first suspension; nothing else accesses it.
final class StreamReader {
    let settings: RedisSettings
    /// The index of this stream in the source.
    let index: Int
    let streamSettings: RedisStreamSettings
    let loop: RedisEventLoop
    let stop: StopSignal
    let logger: Logger
    /// Finds the server that has the stream.
    let directory: ServerDirectory
    /// Receives a report for each part of a large reply.
    private let arrivals: ProgressReporter
    let update: ((inout SourceBoard) -> Void) -> Void

    /// Hardly waits, and requests the maximum for a reader that is behind: used for the first read of a connection and
    /// after a full reply, to find out immediately whether there is anything to catch up with.
    private(set) var promptCommand: XReadCommand
    private(set) var command: XReadCommand
    /// The fraction of both counts to request; reduced after replies that did not arrive.
    private var size = RequestSize() {
        didSet { (self.promptCommand, self.command) = Self.commands(self.streamSettings, self.size) }
    }
    /// When the last stalled batch had its outcomes, or `nil` if none was stalled.
    var stallEnd: ContinuousClock.Instant?
    /// Like `size`, for the keys that stores are filled from.
    var keySize = RequestSize()
    /// Whether values that do not fit into a reply are left out; set when a single entry is too large.
    private(set) var fitsReplies = false
    /// Queries the stream without fetching the contents of its entries.
    var questions: StreamQuestions
    /// Whether the current connection has begun to read the stream.
    private var isReading = false
    /// Whether the current connection is reading keys.
    var isReadingKeys = false
    let batch = EventBatch()
    /// Decides where to read, and how to respond to lost entries.
    let follower: Follower
    /// Whether the server lets this user query the stream.
    var canCheck = true
    /// Decides when to reconnect.
    var plan: ReconnectPlan
    /// The server that the last reply redirected to, and the number of redirections since the last successful read.
    private var redirection: Redirection?
    private var redirections = 0
    /// The time without a connection, for tracing.
    private var outage = OutageSpan()

    /// Returns the read of a reader that is behind, and the read of one that waits.
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

    /// The parameters of a reader.
    struct Parts {
        /// The settings of the Redis server.
        var settings: RedisSettings
        /// Finds the server that has the stream.
        var directory: ServerDirectory
        /// Which stream to read, and how.
        var streamSettings: RedisStreamSettings
        /// The index of this stream in the source.
        var index: Int
        /// The stores that the events update.
        var stores: FedStores
        /// Keeps the stores across restarts, or `nil`.
        var checkpoint: (any CheckpointKeeper)?
        /// Loads the checkpoint and returns this stream's position.
        var loadPosition: () throws -> String?
        /// The event loop that the reader runs on.
        var loop: RedisEventLoop
        /// Stops the reader.
        var stop: StopSignal
        /// The reader's logger.
        var logger: Logger
        /// Receives a report for each part of a large reply.
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

    /// The reason that a connection ended.
    enum End: Error {
        /// The server or the connection to it failed.
        case server(RedisError)
        /// Delivering a batch failed.
        case deliver(any Error)
        /// Entries were lost.
        case gap(Gap, FollowMachine.Response)
    }

    /// Reads until the reader is stopped; reconnects if that can help.
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
                        "the stores were emptied because of another stream: reading again",
                        metadata: ["stream": "\(self.streamSettings.stream)"])
                }
                switch error {
                case .deliver(let error): throw error
                case .gap(let gap, let response):
                    try self.follower.respond(to: gap, response)
                    // Immediately, because the next connection may take long.
                    try await self.follower.announceResets(finished: false)
                    if let delay = self.plan.delayAfterGap() { await self.loop.sleep(delay, until: self.stop) }
                case .server(let error):
                    if self.stop.isStopped { return }
                    // Closed in order to be read again; the server is healthy.
                    if isToRefill, error.code == .closed { continue }
                    let reduction = try self.asksForLess(after: error)
                    if reduction == .certain { continue }
                    try await self.wait(after: error, reduction)
                }
            }
        }
    }

    /// Records a successful read; earlier failures no longer count.
    func succeeded(isAtEnd: Bool) {
        self.redirections = 0
        self.plan.succeeded(isAtEnd: isAtEnd)
        if isAtEnd {
            if self.size.isReduced || self.fitsReplies { (self.size, self.fitsReplies) = (RequestSize(), false) }
        } else if self.size.isReduced {
            var size = self.size
            if size.succeeded() { self.logSize(size, "read size increased again") }
            self.size = size
        }
    }

    /// Reduces the size of requests if the size of a reply may have caused the failure.
    ///
    /// - Throws: The error if nothing can be reduced further.
    private func asksForLess(after error: RedisError) throws(RedisError) -> RequestReduction {
        guard error.mayBeTooMuch, self.isReading || self.isReadingKeys else { return .none }
        let isCertain = error.code == .replyTooLarge
        if self.isReadingKeys {
            if self.keySize.count(KeyReader.chunk) == 1 {
                if isCertain { throw error }
                return .none
            }
            self.keySize.failed()
            return isCertain ? .certain : .possible
        }
        if self.promptCommand.count > 1 {
            self.size.failed()
            if isCertain { self.logSize(self.size, "reply too large: read size reduced", error) }
            return isCertain ? .certain : .possible
        }
        guard isCertain else { return .none }
        guard !self.fitsReplies else {
            let cursor = self.follower.machine.cursor?.description ?? "0-0"
            throw RedisError(
                .replyTooLarge,
                "\(error.message): the entry of \(self.streamSettings.stream) after \(cursor) is too large to read; "
                    + "delete it (XDEL), and limit the size of entries in the producers", isTransient: false)
        }
        self.fitsReplies = true
        return .certain
    }

    private func logSize(_ size: RequestSize, _ message: Logger.Message, _ error: RedisError? = nil) {
        let count = size.count(max(self.streamSettings.readCount, self.streamSettings.catchUpCount ?? 0))
        var metadata: Logger.Metadata = ["stream": "\(self.streamSettings.stream)", "count": "\(count)"]
        if let error { metadata["error"] = "\(error)" }
        self.logger.log(level: error == nil ? .info : .warning, message, metadata: metadata)
    }

    /// Logs the failure and waits before the next attempt, unless the server only redirected to another server.
    ///
    /// - Throws: The error if retrying cannot help.
    private func wait(after failure: RedisError, _ reduction: RequestReduction) async throws(RedisError) {
        let error = self.directory.judged(failure)
        if let redirection = error.redirection, self.redirections < Redirection.limit {
            self.redirections += 1
            self.redirection = redirection
            self.logger.info(
                "the stream has moved to another server",
                metadata: ["stream": "\(self.streamSettings.stream)", "answer": "\(error)"])
            return
        }
        self.directory.forget()
        let delay = try self.plan.delay(after: error, reduction)
        self.outage.failed(error)
        self.update { $0.lost(error) }
        var more: Logger.Metadata = ["cursor": "\(self.follower.machine.cursor?.description ?? "not known yet")"]
        self.size.note(in: &more, self.promptCommand.count)
        self.logger.logRetry(of: self.streamSettings.stream, after: error, in: delay, more)
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
        // Without a connection, there was nothing to interrupt.
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
