import Logging
import RESP
import StageKit
import Synchronization

/// Sends commands until the server has confirmed each, over a connection and an event loop of its own, made at first use.
///
/// At least once: commands whose confirmation was lost with a connection are sent again on the next one, in order. One
/// call of `send` at a time; `stop` comes from any thread.
final class CommandSender: Sendable {
    /// The most commands on their way at once: far below what a connection takes, enough to hide the round trip.
    static let commandsAtOnce = 512
    /// The most bytes on their way at once, unless one command alone has more: half of what a connection takes.
    static let bytesAtOnce = CommandQueue<PendingReply>.byteLimit / 2

    /// What to do where a command cannot be done.
    struct Rules: Sendable {
        /// How long to try without a confirmation before all that is left has failed; nil for until told to stop.
        var patience: Duration?
        /// Whether a refusal that trying again cannot help ends the sending; otherwise it is that command's result.
        var endsAtRefusal: Bool
    }

    private struct State {
        var loop: RedisEventLoop?
        var connection: RedisConnection?
    }

    private let settings: RedisSettings
    private let rules: Rules
    private let what: String
    private let logger: Logger
    private let stopSignal = StopSignal()
    private let state = Mutex(State())

    /// Makes a sender; it opens nothing. `what` is what is sent, for logs: `revocations`.
    init(_ settings: RedisSettings, _ rules: Rules, what: String, logger: Logger) {
        self.settings = settings
        self.rules = rules
        self.what = what
        self.logger = logger
    }

    /// Sends all of them, in order; returns when each is confirmed (nil) or has failed.
    ///
    /// Throws `RedisError`: where no connection can be had and trying again cannot help, where a refusal ends the sending,
    /// and where it was stopped before all was confirmed. Cancelling the task is the same as `stop`.
    func send(_ commands: [RESPCommand]) async throws -> [RedisError?] {
        try await withTaskCancellationHandler {
            try await self.sendAll(commands)
        } onCancel: {
            self.stop()
        }
    }

    /// Ends a wait or an attempt under way; nothing more is sent. From any thread, also more than once.
    func stop() {
        self.stopSignal.stop()
    }

    /// Stops, closes the connection and ends the thread. To be called once, when nothing is being sent.
    func shutDown() async {
        self.stop()
        let (connection, loop) = self.state.withLock { state in
            defer { (state.connection, state.loop) = (nil, nil) }
            return (state.connection, state.loop)
        }
        connection?.close()
        await loop?.shutDown()
    }

    private func sendAll(_ commands: [RESPCommand]) async throws(RedisError) -> [RedisError?] {
        var results: [RedisError?] = []
        results.reserveCapacity(commands.count)
        var backoff = Backoff()
        var lastProgress = ContinuousClock.now
        while results.count < commands.count {
            if self.stopSignal.isStopped {
                throw RedisError(
                    .closed, "stopped before \(commands.count - results.count) \(self.what) were sent",
                    isTransient: true)
            }
            let before = results.count
            do throws(RedisError) {
                try await self.sendSome(Self.chunk(of: commands, from: before), &results)
                backoff.reset()
                lastProgress = .now
            } catch {
                self.disconnect()
                if self.stopSignal.isStopped { continue }
                guard error.isTransient else { throw error }
                if results.count > before { lastProgress = .now }
                guard let delay = self.delay(&backoff, since: lastProgress) else {
                    let failure = self.outOfPatience(error)
                    results += Array(repeating: failure, count: commands.count - results.count)
                    break
                }
                await self.wait(delay, after: error)
            }
        }
        return results
    }

    /// Sends some and adds their results; what is thrown is about the first that has none.
    private func sendSome(
        _ commands: ArraySlice<RESPCommand>, _ results: inout [RedisError?]
    ) async throws(RedisError) {
        let connection = try await self.connect()
        for (command, waiter) in zip(commands, connection.submit(Array(commands))) {
            guard let text = try await waiter.reply().errorMessage else {
                results.append(nil)
                continue
            }
            let error = RedisError.answer(text, to: command.name)
            if error.isTransient || self.rules.endsAtRefusal { throw error }
            results.append(error)
        }
    }

    /// The commands from `start` on that may be on their way together.
    static func chunk(of commands: [RESPCommand], from start: Int) -> ArraySlice<RESPCommand> {
        var (end, bytes) = (start, 0)
        while end < commands.count, end - start < Self.commandsAtOnce {
            // Each argument has a header beside its bytes.
            bytes += commands[end].arguments.reduce(0) { $0 + $1.count + 16 }
            if end > start, bytes > Self.bytesAtOnce { break }
            end += 1
        }
        return commands[start..<end]
    }

    /// How long to wait before the next attempt, nil where there is to be none.
    private func delay(_ backoff: inout Backoff, since lastProgress: ContinuousClock.Instant) -> Duration? {
        let next = backoff.next()
        guard let patience = self.rules.patience else { return next }
        let left = patience - (ContinuousClock.now - lastProgress)
        return left > .zero ? min(next, left) : nil
    }

    private func outOfPatience(_ error: RedisError) -> RedisError {
        let patience = self.rules.patience.map { SettingUnits.text($0) } ?? ""
        return RedisError(error.code, "gave up after \(patience): \(error.message)", isTransient: true)
    }

    private func wait(_ delay: Duration, after error: RedisError) async {
        self.logger.warning(
            "\(self.what) could not be sent: trying again",
            metadata: [
                "error": "\(error)", "code": "\(error.code.rawValue)", "delay": "\(delay.microseconds / 1000)ms",
            ])
        await self.eventLoop().sleep(delay, until: self.stopSignal)
    }

    private func connect() async throws(RedisError) -> RedisConnection {
        if let connection = self.state.withLock({ $0.connection }) { return connection }
        let connection = try await RedisConnection.connect(
            self.settings, on: self.eventLoop(), stop: self.stopSignal, logger: self.logger)
        self.state.withLock { $0.connection = connection }
        return connection
    }

    private func disconnect() {
        let connection = self.state.withLock { $0.connection.take() }
        connection?.close()
    }

    private func eventLoop() -> RedisEventLoop {
        self.state.withLock { state in
            if let loop = state.loop { return loop }
            let loop = RedisEventLoop()
            state.loop = loop
            return loop
        }
    }
}
