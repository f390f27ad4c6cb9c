import ComponentKit
import Logging
import RedisClient
import StageKit

/// One run of a source on one stream: connects, reads, and reconnects until it is stopped.
///
/// Holds everything that the ways to read a stream have in common: the connection loop, reads ahead of the batch in
/// progress, the path of a reply into the batch, timeouts, redirections, smaller requests and tracing. A `StreamReading`
/// decides what to read and uses the driver's methods.
///
/// Runs on the loop's thread after its first suspension; nothing else accesses it.
final class StreamDriver {
    /// Passes a batch to the stages.
    typealias Deliver = (EventBatch) async throws -> Void

    let settings: RedisSettings
    let streamSettings: RedisStreamSettings
    let loop: RedisEventLoop
    let stop: StopSignal
    let logger: Logger
    /// Changes the board that other threads see.
    let update: ((inout SourceBoard) -> Void) -> Void
    /// The entries of the reply in progress.
    let batch = EventBatch()

    /// Decides how much to request.
    var sizes: ReadSizes
    /// The encoded reads, in the current size.
    private(set) var reads: Reads
    /// The commands of the group that shares the stream, or `nil` if the stream is followed.
    private let group: GroupCommands?
    /// Queries the stream without fetching the contents of its entries.
    var questions: StreamQuestions
    /// Whether the server lets this user query the stream.
    var canCheck = true
    /// When the last stalled batch had its outcomes, or `nil` if none was stalled.
    var stallEnd: ContinuousClock.Instant?
    /// Decides when to reconnect.
    private(set) var plan: ReconnectPlan

    /// Finds the server that has the stream.
    private let directory: ServerDirectory
    /// Receives a report for each part of a large reply.
    private let arrivals: ProgressReporter
    /// The server that the last reply redirected to, and the number of redirections since the last successful read.
    private var redirection: Redirection?
    private var redirections = 0
    /// The redirection that the connections being opened follow.
    private var following: Redirection?
    /// The time without a connection, for tracing.
    private var outage = OutageSpan()

    /// The reads of a stream.
    struct Reads {
        /// Hardly waits: used while more entries are expected.
        var prompt: XReadCommand
        /// Waits for entries.
        var waiting: XReadCommand

        /// Creates the reads in a size.
        init(_ settings: RedisStreamSettings, _ group: GroupCommands?, _ sizes: ReadSizes) {
            var block = settings.readBlock
            // A group's abandoned entries are queried between two reads, so no read waits longer than the time between
            // two surveys.
            if group != nil { block = min(block, settings.checkInterval) }
            self.prompt = XReadCommand(settings.stream, group, count: sizes.count, block: .milliseconds(1))
            self.waiting = XReadCommand(
                settings.stream, group, count: min(sizes.count, settings.readCount), block: block)
        }
    }

    /// How to go on after a connection ended.
    enum Recovery {
        /// End the run.
        case stop
        /// Reconnect immediately.
        case reconnect
        /// Reconnect to open the stream again; with a delay if that is repeated.
        case reopen
        /// Retry after a failure, if that can help.
        case retry(RedisError)
    }

    /// Creates a driver that has not started.
    ///
    /// - Parameters:
    ///   - settings: The settings of the Redis server.
    ///   - directory: Finds the server that has the stream.
    ///   - streamSettings: Which stream to read, and how.
    ///   - index: The index of this stream in the source.
    ///   - group: The commands of the group that shares the stream, or `nil` to follow it.
    ///   - loop: The event loop that the driver runs on.
    ///   - stop: Stops the driver.
    ///   - logger: The driver's logger.
    ///   - arrivals: Receives a report for each part of a large reply.
    ///   - update: Changes the board that other threads see.
    init(
        _ settings: RedisSettings, _ directory: ServerDirectory, _ streamSettings: RedisStreamSettings, index: Int,
        group: GroupCommands? = nil, loop: RedisEventLoop, stop: StopSignal, logger: Logger,
        arrivals: ProgressReporter, update: @escaping ((inout SourceBoard) -> Void) -> Void
    ) {
        self.settings = settings
        self.directory = directory
        self.streamSettings = streamSettings
        self.group = group
        self.loop = loop
        self.stop = stop
        self.logger = logger
        self.arrivals = arrivals
        self.update = update
        let catchUpCount = group == nil ? streamSettings.catchUpCount ?? 0 : 0
        let sizes = ReadSizes(maximum: max(streamSettings.readCount, catchUpCount))
        self.sizes = sizes
        self.reads = Reads(streamSettings, group, sizes)
        self.questions = StreamQuestions(stream: streamSettings.stream)
        self.plan = ReconnectPlan(streamSettings.reconnect)
        self.batch.stream = streamSettings.stream
        self.batch.streamIndex = index
    }

    // MARK: Connections

    /// Reads until the driver is stopped; reconnects if that can help.
    ///
    /// - Throws: The error that ends the run.
    func run(_ reader: some StreamReading, _ deliver: Deliver) async throws {
        while !self.stop.isStopped {
            self.update { $0.status.state = .connecting }
            do throws(ReadEnd) {
                try await self.readOneConnection(reader, deliver)
            } catch {
                switch try await reader.disconnected(by: error) {
                case .stop: return
                case .reconnect: break
                case .reopen:
                    if let delay = self.plan.delayAfterGap() { await self.loop.sleep(delay, until: self.stop) }
                case .retry(let error): try await self.retry(reader, after: error)
                }
            }
        }
    }

    private func readOneConnection(_ reader: some StreamReading, _ deliver: Deliver) async throws(ReadEnd) {
        self.sizes.activity = .facts
        self.questions = StreamQuestions(stream: self.streamSettings.stream)
        self.following = self.redirection.take()
        defer { self.following = nil }
        let link = try await self.connect(reader)
        defer { reader.close(link) }
        let isAgain = self.plan.connected()
        let place = try await reader.open(link, deliver)
        self.update { board in
            board.status.state = .reading
            if isAgain { board.status.reconnects += 1 }
        }
        self.outage.end()
        self.logger.log(
            level: isAgain ? .notice : .info, isAgain ? "reading the stream again" : "reading the stream",
            metadata: place)
        self.sizes.activity = .entries
        try await reader.read(link, deliver)
    }

    private func connect<Reader: StreamReading>(_ reader: Reader) async throws(ReadEnd) -> Reader.Link {
        do throws(RedisError) {
            return try await reader.connect()
        } catch {
            throw .server(error)
        }
    }

    /// Opens a connection to the server that has the stream.
    ///
    /// - Parameter stop: The signal that cancels the attempt and later closes the connection.
    func connect(stop: StopSignal) async throws(RedisError) -> RedisConnection {
        let connection = try await self.directory.connect(
            for: Array(self.streamSettings.stream.utf8), following: self.following, on: self.loop, stop: stop,
            logger: self.logger)
        connection.reportParts(to: self.arrivals)
        return connection
    }

    /// Records a successful read; earlier failures no longer count.
    func succeeded(isAtEnd: Bool) {
        self.redirections = 0
        self.plan.succeeded(isAtEnd: isAtEnd)
        if self.sizes.isReduced { self.replyArrived(isAtEnd: isAtEnd) }
    }

    /// Records a complete reply; more is requested after several of them, or if nothing is left to read.
    func replyArrived(isAtEnd: Bool) {
        let isLarger = self.sizes.succeeded(isAtEnd: isAtEnd)
        self.reads = Reads(self.streamSettings, self.group, self.sizes)
        if isLarger { self.logSize("read size increased again") }
    }

    // MARK: Failures

    /// Requests less if the size of a reply may have caused the failure, and waits before the next attempt unless it
    /// certainly has.
    ///
    /// - Throws: The error if retrying cannot help.
    private func retry(_ reader: some StreamReading, after failure: RedisError) async throws(RedisError) {
        let before = self.sizes
        let reduction = self.sizes.failed(failure)
        self.reads = Reads(self.streamSettings, self.group, self.sizes)
        switch reduction {
        case .exhausted where self.sizes.activity == .entries:
            throw RedisError(
                .replyTooLarge,
                "\(failure.message): \(reader.nextEntry) is too large to read; delete it (XDEL), and limit the size of "
                    + "entries in the producers", isTransient: false)
        case .exhausted: throw failure
        case .certain:
            if self.sizes.count < before.count { self.logSize("reply too large: read size reduced", failure) }
        case .none, .possible: try await self.wait(reader, after: failure, reduction)
        }
    }

    private func logSize(_ message: Logger.Message, _ error: RedisError? = nil) {
        var metadata: Logger.Metadata = ["stream": "\(self.streamSettings.stream)", "count": "\(self.sizes.count)"]
        if let group = self.group { metadata["group"] = "\(group.group)" }
        if let error { metadata["error"] = "\(error)" }
        self.logger.log(level: error == nil ? .info : .warning, message, metadata: metadata)
    }

    /// Logs the failure and waits before the next attempt, unless the server only redirected to another server.
    ///
    /// - Throws: The error if retrying cannot help.
    private func wait(
        _ reader: some StreamReading, after failure: RedisError, _ reduction: RequestReduction
    ) async throws(RedisError) {
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
        var more = reader.retryMetadata
        self.sizes.entries.note(in: &more, self.sizes.count)
        self.logger.logRetry(of: self.streamSettings.stream, after: error, in: delay, more)
        await self.loop.sleep(delay, until: self.stop)
    }
}
