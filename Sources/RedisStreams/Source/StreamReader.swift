import Logging
import RESP
import StageKit

/// One run of a source: connects, finds where to begin, and reads until told to stop.
///
/// Runs on the loop's thread from its first wait on; nothing else touches it.
final class StreamReader {
    /// A reply of at most so many entries is worked on before the next read is sent: it takes less time than sending
    /// does, and a reader who has caught up is in no hurry to ask but in a hurry to apply.
    static let firstWorkedOn = 16

    private let settings: RedisSettings
    private let streamSettings: RedisStreamSettings
    private let loop: RedisEventLoop
    private let stop: StopSignal
    private let logger: Logger
    private let update: ((inout SourceStatus) -> Void) -> Void

    /// Hardly waits: for the first read of a connection and the one behind a full reply, so that it is known at once
    /// whether there is anything to catch up with.
    private let promptCommand: XReadCommand
    private let command: XReadCommand
    private let batch = EventBatch()
    private var cursor: EntryID?
    private var backoff = Backoff()
    private var wasConnected = false

    init(
        settings: RedisSettings, streamSettings: RedisStreamSettings, loop: RedisEventLoop, stop: StopSignal,
        logger: Logger, update: @escaping ((inout SourceStatus) -> Void) -> Void
    ) {
        self.settings = settings
        self.streamSettings = streamSettings
        self.loop = loop
        self.stop = stop
        self.logger = logger
        self.update = update
        self.promptCommand = XReadCommand(
            stream: streamSettings.stream, count: streamSettings.readCount, block: .milliseconds(1))
        self.command = XReadCommand(
            stream: streamSettings.stream, count: streamSettings.readCount, block: streamSettings.readBlock)
        self.batch.stream = streamSettings.stream
    }

    /// What ends one connection's time.
    private enum End: Error {
        /// The server or the way to it.
        case server(RedisError)
        /// Whoever the batches are delivered to.
        case deliver(any Error)
    }

    /// Reads until told to stop, connecting again where that can help.
    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        while !self.stop.isStopped {
            self.update { $0.state = .connecting }
            do throws(End) {
                try await self.readOneConnection(deliver)
            } catch {
                switch error {
                case .deliver(let error): throw error
                case .server(let error):
                    if self.stop.isStopped { return }
                    // A handshake that no server has answered yet is a wrong setting; one that worked before will again.
                    let isWrongSetting = error.code == .tls && !self.wasConnected
                    guard error.isTransient, !isWrongSetting else { throw error }
                    await self.wait(after: error)
                }
            }
        }
    }

    /// Tells what went wrong and waits before the next attempt.
    private func wait(after error: RedisError) async {
        let delay = self.backoff.next()
        self.update { status in
            status.state = .connecting
            status.lastError = error.message
            status.isCaughtUp = false
        }
        self.logger.warning(
            "no connection to the stream: trying again",
            metadata: [
                "stream": "\(self.streamSettings.stream)", "error": "\(error)", "code": "\(error.code.rawValue)",
                "cursor": "\(self.cursor?.description ?? "not known yet")", "delay": "\(delay.microseconds / 1000)ms",
            ])
        await self.loop.sleep(delay, until: self.stop)
    }

    private func readOneConnection(_ deliver: (EventBatch) async throws -> Void) async throws(End) {
        let connection: RedisConnection
        let cursor: EntryID
        do throws(RedisError) {
            connection = try await RedisConnection.connect(
                self.settings, on: self.loop, stop: self.stop, logger: self.logger)
        } catch {
            throw .server(error)
        }
        defer { connection.close() }
        do throws(RedisError) {
            cursor = try await self.resolveStart(connection)
        } catch {
            throw .server(error)
        }
        self.update { status in
            status.state = .reading
            status.cursor = cursor
            if self.wasConnected { status.reconnects += 1 }
        }
        if self.wasConnected {
            self.logger.notice("reading the stream again", metadata: ["cursor": "\(cursor)"])
        }
        self.wasConnected = true
        try await self.read(connection, from: cursor, deliver)
    }

    /// Where to begin: found once, and kept over connections from then on.
    private func resolveStart(_ connection: RedisConnection) async throws(RedisError) -> EntryID {
        if let cursor = self.cursor { return cursor }
        let resolution = StartResolution(stream: self.streamSettings.stream, start: self.streamSettings.start)
        var answer: RESPValue?
        if let command = resolution.command { answer = try await connection.command(command) }
        let cursor = try resolution.cursor(answer)
        self.cursor = cursor
        self.logger.info("reading the stream", metadata: ["behind": "\(cursor)"])
        return cursor
    }

    /// Reads until the connection ends: the next read is sent before a batch is delivered, unless it is of few entries.
    private func read(
        _ connection: RedisConnection, from start: EntryID, _ deliver: (EventBatch) async throws -> Void
    ) async throws(End) {
        let timeout = self.streamSettings.readBlock + RedisStreamSource.readMargin
        var cursor = start
        func ask(_ command: XReadCommand, _ id: EntryID) -> PendingReply {
            connection.submit(encoded: command.encoded(after: id), timeout: timeout, isOutlined: true)
        }
        var pending = ask(self.promptCommand, cursor)
        while !self.stop.isStopped {
            let content: XReadReply.Content
            var following: PendingReply?
            // Asked before anything else is done, so that the server works on it meanwhile.
            let outline = await pending.outline()
            if let outline, outline.entries > Self.firstWorkedOn {
                following = ask(self.next(after: outline.entries), outline.last)
            }
            connection.readReplies()
            do throws(RedisError) {
                // The batch takes bytes, never the reply, so nothing refers to the reply when it is given back.
                nonisolated(unsafe) let reply = try await pending.reply()
                content = unsafe try XReadReply.fill(
                    self.batch, from: reply, after: cursor, limit: self.streamSettings.readCount)
                unsafe connection.recycle(reply)
                try Self.check(outline, content)
            } catch {
                throw .server(error)
            }
            self.backoff.reset()
            switch content {
            case .nothing:
                pending = ask(self.command, cursor)
                self.update { $0.isCaughtUp = true }
            case .entries(let count, let last):
                do {
                    try await deliver(self.batch)
                } catch {
                    throw .deliver(error)
                }
                pending = following ?? ask(self.next(after: count), last)
                cursor = last
                self.cursor = last
                self.update { status in
                    status.cursor = last
                    status.isCaughtUp = count < self.streamSettings.readCount
                }
            }
        }
    }

    /// Holds what was acted on early against the reply: the next read must be that behind the last entry.
    private static func check(_ outline: PendingReply.Outline?, _ content: XReadReply.Content) throws(RedisError) {
        guard let outline else { return }
        guard content == .entries(count: outline.entries, last: outline.last) else {
            throw .unexpectedAnswer(to: XReadReply.name, "entries whose number or last id is not what it seemed")
        }
    }

    /// What to ask behind a reply of so many entries.
    private func next(after count: Int) -> XReadCommand {
        count == self.streamSettings.readCount ? self.promptCommand : self.command
    }
}
