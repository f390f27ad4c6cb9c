import Logging
import RESP
import StageKit

/// One run of a source: connects, finds where to begin, and reads until told to stop. `FollowMachine` decides, this acts.
///
/// Runs on the loop's thread from its first wait on; nothing else touches it.
final class StreamReader {
    let settings: RedisSettings
    let streamSettings: RedisStreamSettings
    let loop: RedisEventLoop
    let stop: StopSignal
    let logger: Logger
    /// What the events build.
    let stores: [any SnapshotStore]
    /// Where the stores outlive the process; nil for nowhere.
    let checkpoint: (any CheckpointKeeper)?
    let update: ((inout SourceBoard) -> Void) -> Void

    /// Hardly waits: for the first read of a connection and the one behind a full reply, so that it is known at once
    /// whether there is anything to catch up with.
    let promptCommand: XReadCommand
    let command: XReadCommand
    let batch = EventBatch()
    /// Decides where to read, and what to do where entries were lost.
    var machine: FollowMachine
    /// Whether the server lets this user look at the stream.
    var canCheck = true
    /// When a lost connection is taken up again.
    var plan: ReconnectPlan

    init(
        settings: RedisSettings, streamSettings: RedisStreamSettings, stores: [any SnapshotStore],
        checkpoint: (any CheckpointKeeper)?, loop: RedisEventLoop, stop: StopSignal, logger: Logger,
        update: @escaping ((inout SourceBoard) -> Void) -> Void
    ) {
        self.settings = settings
        self.streamSettings = streamSettings
        self.stores = stores
        self.checkpoint = checkpoint
        self.loop = loop
        self.stop = stop
        self.logger = logger
        self.update = update
        self.promptCommand = XReadCommand(
            stream: streamSettings.stream, count: streamSettings.readCount, block: .milliseconds(1))
        self.command = XReadCommand(
            stream: streamSettings.stream, count: streamSettings.readCount, block: streamSettings.readBlock)
        self.batch.stream = streamSettings.stream
        self.machine = FollowMachine(streamSettings.policy)
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
        try self.loadCheckpoint()
        while !self.stop.isStopped {
            self.update { $0.status.state = .connecting }
            do throws(End) {
                try await self.readOneConnection(deliver)
            } catch {
                self.machine.disconnected()
                switch error {
                case .deliver(let error): throw error
                case .gap(let gap, let response):
                    try self.respond(to: gap, response)
                    if let delay = self.plan.delayAfterGap() { await self.loop.sleep(delay, until: self.stop) }
                case .server(let error):
                    if self.stop.isStopped { return }
                    try await self.wait(after: error)
                }
            }
        }
    }

    /// Tells what went wrong and waits before the next attempt; throws where another attempt cannot help.
    private func wait(after error: RedisError) async throws(RedisError) {
        let delay = try self.plan.delay(after: error)
        self.update { board in
            board.status.state = .connecting
            board.status.lastError = error.message
            board.status.isCaughtUp = false
        }
        self.logger.warning(
            "no connection to the stream: trying again",
            metadata: [
                "stream": "\(self.streamSettings.stream)", "error": "\(error)", "code": "\(error.code.rawValue)",
                "cursor": "\(self.machine.cursor?.description ?? "not known yet")",
                "delay": "\(delay.microseconds / 1000)ms",
            ])
        await self.loop.sleep(delay, until: self.stop)
    }

    private func readOneConnection(_ deliver: (EventBatch) async throws -> Void) async throws(End) {
        let connection: RedisConnection
        do throws(RedisError) {
            connection = try await RedisConnection.connect(
                self.settings, on: self.loop, stop: self.stop, logger: self.logger)
        } catch {
            throw .server(error)
        }
        defer { connection.close() }
        let isAgain = self.plan.connected()
        let cursor = try await self.open(connection, deliver)
        self.update { board in
            board.status.state = .reading
            if isAgain { board.status.reconnects += 1 }
        }
        if isAgain {
            self.logger.notice("reading the stream again", metadata: ["behind": "\(cursor)"])
        } else {
            self.logger.info("reading the stream", metadata: ["behind": "\(cursor)"])
        }
        try await self.read(connection, from: cursor, deliver)
    }
}
