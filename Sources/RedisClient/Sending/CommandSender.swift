public import ComponentKit
public import Logging
public import RESP
public import StageKit

/// Sends commands and waits for all answers. Uses its own connections and event loop, which are created at first use.
///
/// Delivery is at least once: commands whose answer was lost with a connection are sent again on the next connection,
/// in order. In a cluster each command goes to the server of its key.
///
/// Any number of tasks may call `send`, `ask` and `withPrimaries` at the same time. The commands of a call stay in
/// order. Calls share the connections and a window of commands in flight: a call waits if the window is full, and
/// waiting calls take turns. `stop` can be called from any thread.
public final class CommandSender: Sendable {
    /// The maximum number of commands of one call in flight: enough to hide the round trip.
    static let commandsAtOnce = 512
    /// The maximum number of bytes of one call in flight, unless a single command is larger.
    static let bytesAtOnce = 8 << 20
    /// The maximum number of commands in flight: those of two calls, so that the server has work while one caller
    /// processes its answers.
    package static let windowCommands = 2 * commandsAtOnce
    /// The maximum number of bytes in flight, unless a single command is larger.
    package static let windowBytes = 2 * bytesAtOnce

    /// The handling of commands that fail.
    public struct Rules: Sendable {
        /// How long to retry without any answer before the remaining commands fail, or `nil` to retry until stopped.
        public var patience: Duration?
        /// Whether a permanent refusal ends the whole call. Otherwise it is the result of that command alone.
        public var endsAtRefusal: Bool

        /// Creates rules.
        public init(patience: Duration?, endsAtRefusal: Bool) {
            self.patience = patience
            self.endsAtRefusal = endsAtRefusal
        }
    }

    /// The result of a command.
    public struct Answer: Sendable {
        /// The server's answer, or the error if there is none.
        public var result: Result<RESPValue, RedisError>
        /// Whether the server may have executed the command before, because an earlier answer was lost with a
        /// connection.
        public var mayBeRepeated: Bool
    }

    private let rules: Rules
    private let what: String
    private let logger: Logger
    private let progress: ProgressReporter
    /// The longest silence of an attempt: opening a connection, then waiting for one answer.
    private let attemptLimit: Duration
    private let stopSignal: StopSignal
    private let pool: NodePool
    private let window = SendWindow()

    /// Creates a sender without opening a connection.
    ///
    /// - Parameters:
    ///   - settings: The server.
    ///   - rules: The handling of commands that fail.
    ///   - connections: The connections of the run so far.
    ///   - what: The plural noun for the commands in logs and errors, such as `revocations`.
    ///   - progress: The reporter of answers, attempts and delays.
    ///   - logger: The logger.
    public init(
        _ settings: RedisSettings, _ rules: Rules, _ connections: ConnectionHistory = ConnectionHistory(), what: String,
        progress: ProgressReporter = ProgressReporter(), logger: Logger
    ) {
        self.progress = progress
        self.attemptLimit = (settings.connectTimeout + settings.timeout * 2) * 2
        self.rules = rules
        self.what = what
        self.logger = logger
        let stop = StopSignal()
        self.stopSignal = stop
        self.pool = NodePool(settings, connections, stop: stop, logger: logger)
    }

    /// Sends commands, in order, and waits until each is acknowledged or has failed.
    ///
    /// - Returns: For each command its error, or `nil` if it was acknowledged.
    /// - Throws: As `ask`.
    public func send(_ commands: [RESPCommand]) async throws -> [RedisError?] {
        try await self.ask(commands).map { answer in
            if case .failure(let error) = answer.result { error } else { nil }
        }
    }

    /// Sends commands and waits until each has an answer or has failed. Commands to the same server stay in order.
    ///
    /// Cancelling the task has the same effect as `stop`.
    ///
    /// - Parameters:
    ///   - commands: The commands.
    ///   - waitsForMemory: Whether to retry while the server is out of memory. Otherwise that is the result of a command
    ///     that needs memory.
    /// - Throws: `RedisError` if no connection can be opened and a retry cannot help, if a refusal ends the call
    ///   (`Rules`), or if the sender is stopped before all commands are answered.
    public func ask(_ commands: [RESPCommand], waitsForMemory: Bool = true) async throws -> [Answer] {
        try await withTaskCancellationHandler {
            try await self.askAll(commands, waitsForMemory)
        } onCancel: {
            self.stop()
        }
    }

    /// Calls `body` with a connection to each primary, and retries as for commands until `body` returns. `body` may
    /// have `commandsAtOnce` commands in flight.
    ///
    /// - Throws: `RedisError` as `ask`, and also if retrying exceeds `Rules.patience`.
    package func withPrimaries(_ body: ([RedisConnection]) async throws(RedisError) -> Void) async throws(RedisError) {
        var attempts = SendAttempts(self.rules.patience)
        let share = WindowShare(commands: Self.commandsAtOnce, bytes: 0)
        while true {
            guard await self.window.enter(share) else { throw self.stopped(1) }
            attempts.began()
            let generation = self.pool.generation
            do throws(RedisError) {
                defer { self.window.leave(share) }
                self.progress.pulse()
                return try await body(self.pool.primaries())
            } catch let failure {
                // The server may refuse the user in an answer, and not only when the connection is opened.
                let error = self.pool.judged(failure)
                self.pool.startOver(from: generation, after: error)
                if self.stopSignal.isStopped { continue }
                guard error.isTransient else { throw error }
                guard let delay = try attempts.next(after: error) else { throw attempts.outOfPatience(error) }
                await self.wait(delay, after: error)
            }
        }
    }

    /// Cancels current delays and attempts; later calls fail. Can be called from any thread and more than once.
    public func stop() {
        self.stopSignal.stop()
        self.window.close()
    }

    /// Stops, closes the connections and ends the thread. Must be called once, when no call is in progress.
    public func shutDown() async {
        self.stop()
        await self.pool.shutDown()
    }

    private func askAll(_ commands: [RESPCommand], _ waitsForMemory: Bool) async throws(RedisError) -> [Answer] {
        var answers: [Answer] = []
        answers.reserveCapacity(commands.count)
        var attempts = SendAttempts(self.rules.patience)
        // The number of commands that were sent at least once.
        var sent = 0
        while answers.count < commands.count {
            if self.stopSignal.isStopped { throw self.stopped(commands.count - answers.count) }
            let before = answers.count
            let chunk = Self.chunk(of: commands, from: before)
            let share = WindowShare(commands: chunk.count, bytes: chunk.reduce(0) { $0 + $1.roughBytes })
            guard await self.window.enter(share) else { continue }
            attempts.began()
            let generation = self.pool.generation
            do throws(RedisError) {
                defer { self.window.leave(share) }
                try await self.progress.waiting(atMost: self.attemptLimit) { () async throws(RedisError) in
                    try await self.askSome(chunk, waitsForMemory, &answers, &sent)
                }
                attempts.succeeded()
            } catch {
                self.pool.startOver(from: generation, after: error)
                if self.stopSignal.isStopped { continue }
                guard error.isTransient else { throw error }
                if answers.count > before { attempts.progressed() }
                guard let delay = try attempts.next(after: error) else {
                    let failure = Answer(result: .failure(attempts.outOfPatience(error)), mayBeRepeated: true)
                    answers += Array(repeating: failure, count: commands.count - answers.count)
                    break
                }
                await self.wait(delay, after: error)
            }
        }
        return answers
    }

    private func stopped(_ left: Int) -> RedisError {
        RedisError(.closed, "stopped before \(left) of the \(self.what) were sent", isTransient: true)
    }

    /// Sends commands and appends their answers. An error refers to the first command without an answer.
    private func askSome(
        _ commands: ArraySlice<RESPCommand>, _ waitsForMemory: Bool, _ answers: inout [Answer], _ sent: inout Int
    ) async throws(RedisError) {
        let start = answers.count
        let replies = try await self.submit(commands)
        let known = sent
        sent = max(sent, start + commands.count)
        for (command, reply) in zip(commands, replies) {
            let mayBeRepeated = answers.count < known
            var value = try await reply.reply().value()
            self.progress.pulse()
            if case .error(let text) = value, Redirection(text) != nil {
                value = try await self.pool.follow(.answer(text, to: command.name), command)
            }
            guard case .error(let text) = value else {
                answers.append(Answer(result: .success(value), mayBeRepeated: mayBeRepeated))
                continue
            }
            let error = self.pool.judged(.answer(text, to: command.name))
            let isResult = error.code == .outOfMemory && !waitsForMemory
            if !isResult, error.isTransient || self.rules.endsAtRefusal { throw error }
            answers.append(Answer(result: .failure(error), mayBeRepeated: mayBeRepeated))
        }
    }

    /// Sends commands; those to the same server go in one write.
    private func submit(_ commands: ArraySlice<RESPCommand>) async throws(RedisError) -> [PendingReply] {
        var groups: [(connection: RedisConnection, commands: [RESPCommand])] = []
        var places: [(group: Int, index: Int)] = []
        places.reserveCapacity(commands.count)
        for command in commands {
            let connection = try await self.pool.connection(for: command.key)
            let group = groups.firstIndex { $0.connection === connection } ?? groups.count
            if group == groups.count { groups.append((connection, [])) }
            places.append((group, groups[group].commands.count))
            groups[group].commands.append(command)
        }
        let replies = groups.map { $0.connection.submit($0.commands) }
        return places.map { replies[$0.group][$0.index] }
    }

    /// Returns the commands from `start` that may be in flight together.
    static func chunk(of commands: [RESPCommand], from start: Int) -> ArraySlice<RESPCommand> {
        var (end, bytes) = (start, 0)
        while end < commands.count, end - start < Self.commandsAtOnce {
            bytes += commands[end].roughBytes
            if end > start, bytes > Self.bytesAtOnce { break }
            end += 1
        }
        return commands[start..<end]
    }

    private func wait(_ delay: Duration, after error: RedisError) async {
        self.logger.logRetry("cannot send \(self.what): retrying", after: error, in: delay)
        // A timer can be late on a busy machine, so allow half as much again.
        await self.progress.waiting(atMost: delay * 1.5) {
            await self.pool.loop.sleep(delay, until: self.stopSignal)
        }
    }
}

extension RESPCommand {
    /// The approximate size of the encoded command in bytes. Each argument has a header.
    package var roughBytes: Int { self.arguments.reduce(0) { $0 + $1.count + 16 } }
}
