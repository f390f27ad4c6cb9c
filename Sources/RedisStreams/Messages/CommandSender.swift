import Logging
import RESP
import StageKit

/// Sends commands until a server has answered each, over connections and an event loop of its own, made at first use.
///
/// At least once: commands whose answer was lost with a connection are sent again on the next one, in order. In a cluster
/// each goes to the server of its key.
///
/// Any number of tasks may call `send`, `ask` and `withPrimaries` at the same time. The commands of a call stay in order;
/// calls share the connections and a window of commands in flight, in which they take turns: a call that finds the window
/// full waits. `stop` comes from any thread.
final class CommandSender: Sendable {
    /// The most commands of one call in flight: enough to hide the round trip.
    static let commandsAtOnce = 512
    /// The most bytes of one call in flight, unless one command alone has more.
    static let bytesAtOnce = 8 << 20
    /// The most commands in flight: those of two calls, so that the server has work while a caller handles its answers.
    static let windowCommands = 2 * commandsAtOnce
    /// The most bytes in flight, unless one command alone has more.
    static let windowBytes = 2 * bytesAtOnce

    /// What to do where a command cannot be done.
    struct Rules: Sendable {
        /// How long to try without a confirmation before all that is left has failed; nil for until told to stop.
        var patience: Duration?
        /// Whether a refusal that trying again cannot help ends the sending; otherwise it is that command's result.
        var endsAtRefusal: Bool
    }

    /// What became of a command.
    struct Answer: Sendable {
        /// The server's answer, or why there is none.
        var result: Result<RESPValue, RedisError>
        /// Whether it may have been done once before, its answer lost with a connection.
        var mayBeRepeated: Bool
    }

    private let rules: Rules
    private let what: String
    private let logger: Logger
    private let progress: ProgressReporter
    /// The longest time that an attempt is silent: opening a connection, then one answer.
    private let attemptLimit: Duration
    private let stopSignal: StopSignal
    private let pool: NodePool
    private let window = SendWindow()

    /// Creates a sender; it opens nothing.
    ///
    /// - Parameters:
    ///   - settings: The server.
    ///   - rules: What to do if a command fails.
    ///   - what: What is sent, for logs: `revocations`.
    ///   - progress: Where answers, attempts and delays are reported.
    ///   - logger: Where the sender logs.
    init(_ settings: RedisSettings, _ rules: Rules, what: String, progress: ProgressReporter, logger: Logger) {
        self.progress = progress
        self.attemptLimit = (settings.connectTimeout + settings.timeout * 2) * 2
        self.rules = rules
        self.what = what
        self.logger = logger
        let stop = StopSignal()
        self.stopSignal = stop
        self.pool = NodePool(settings, stop: stop, logger: logger)
    }

    /// Sends all of them, in order; returns when each is confirmed (nil) or has failed.
    ///
    /// Throws as `ask` does.
    func send(_ commands: [RESPCommand]) async throws -> [RedisError?] {
        try await self.ask(commands).map { answer in
            if case .failure(let error) = answer.result { error } else { nil }
        }
    }

    /// Sends all of them, those of one server in order; returns when each has its answer or has failed.
    ///
    /// Throws `RedisError`: where no connection can be had and trying again cannot help, where a refusal ends the sending,
    /// and where it was stopped before all was confirmed. Cancelling the task is the same as `stop`.
    func ask(_ commands: [RESPCommand]) async throws -> [Answer] {
        try await withTaskCancellationHandler {
            try await self.askAll(commands)
        } onCancel: {
            self.stop()
        }
    }

    /// Calls `body` with a connection to every server that takes changes, until it comes to its end; tries again as for
    /// commands, and throws as `ask` does, and when patience is exhausted.
    ///
    /// `body` may have `commandsAtOnce` commands in flight.
    func withPrimaries(_ body: ([RedisConnection]) async throws(RedisError) -> Void) async throws(RedisError) {
        var attempts = Attempts(self.rules.patience)
        let share = WindowShare(commands: Self.commandsAtOnce, bytes: 0)
        while true {
            guard await self.window.enter(share) else { throw self.stopped(1) }
            attempts.began()
            let generation = self.pool.generation
            do throws(RedisError) {
                defer { self.window.leave(share) }
                self.progress.pulse()
                return try await body(self.pool.primaries())
            } catch {
                self.pool.startOver(from: generation, after: error)
                if self.stopSignal.isStopped { continue }
                guard error.isTransient else { throw error }
                guard let delay = attempts.next() else { throw attempts.outOfPatience(error) }
                await self.wait(delay, after: error)
            }
        }
    }

    /// Ends a wait or an attempt under way; nothing more is sent. From any thread, also more than once.
    func stop() {
        self.stopSignal.stop()
        self.window.close()
    }

    /// Stops, closes the connections and ends the thread. To be called once, when nothing is being sent any more.
    func shutDown() async {
        self.stop()
        await self.pool.shutDown()
    }

    private func askAll(_ commands: [RESPCommand]) async throws(RedisError) -> [Answer] {
        var answers: [Answer] = []
        answers.reserveCapacity(commands.count)
        var attempts = Attempts(self.rules.patience)
        // Up to here each was sent at least once.
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
                    try await self.askSome(chunk, &answers, &sent)
                }
                attempts.succeeded()
            } catch {
                self.pool.startOver(from: generation, after: error)
                if self.stopSignal.isStopped { continue }
                guard error.isTransient else { throw error }
                if answers.count > before { attempts.progressed() }
                guard let delay = attempts.next() else {
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
        RedisError(.closed, "stopped before \(left) \(self.what) were sent", isTransient: true)
    }

    /// Sends some and adds their answers; what is thrown is about the first that has none.
    private func askSome(
        _ commands: ArraySlice<RESPCommand>, _ answers: inout [Answer], _ sent: inout Int
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
            let error = RedisError.answer(text, to: command.name)
            if error.isTransient || self.rules.endsAtRefusal { throw error }
            answers.append(Answer(result: .failure(error), mayBeRepeated: mayBeRepeated))
        }
    }

    /// Puts commands on their way, all those of one server in one write.
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

    /// The commands from `start` on that may be on their way together.
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
        self.logger.warning(
            "\(self.what) could not be sent: trying again",
            metadata: [
                "error": "\(error)", "code": "\(error.code.rawValue)", "delay": "\(delay.microseconds / 1000)ms",
            ])
        // A timer may be late on a busy machine; half as long again is still a bound.
        await self.progress.waiting(atMost: delay * 1.5) {
            await self.pool.loop.sleep(delay, until: self.stopSignal)
        }
    }
}

extension RESPCommand {
    /// About how many bytes it has when it is sent: each argument has a header beside its bytes.
    var roughBytes: Int { self.arguments.reduce(0) { $0 + $1.count + 16 } }
}

/// How often, how long apart and for how long something is tried.
private struct Attempts {
    private let patience: Duration?
    private var backoff = Backoff()
    private var lastProgress = ContinuousClock.now
    private var hasFailed = false

    init(_ patience: Duration?) {
        self.patience = patience
    }

    /// The next attempt begins: the time in which other callers were waited for does not count, unless something has failed.
    mutating func began() {
        if !self.hasFailed { self.lastProgress = .now }
    }

    /// All went well: the next failure is a first one.
    mutating func succeeded() {
        self.backoff.reset()
        self.hasFailed = false
        self.lastProgress = .now
    }

    /// Something went well before the failure.
    mutating func progressed() {
        self.lastProgress = .now
    }

    /// How long to wait before the next attempt, nil where there is to be none.
    mutating func next() -> Duration? {
        self.hasFailed = true
        let next = self.backoff.next()
        guard let patience = self.patience else { return next }
        let left = patience - (ContinuousClock.now - self.lastProgress)
        return left > .zero ? min(next, left) : nil
    }

    /// What it is called when patience is at its end.
    func outOfPatience(_ error: RedisError) -> RedisError {
        let patience = self.patience.map { SettingUnits.text($0) } ?? ""
        return RedisError(error.code, "gave up after \(patience): \(error.message)", isTransient: true)
    }
}
