package import Logging
import NIOCore
package import RESP
import StageKit

/// One connection to a server, logged in: commands out, replies in the same order back, as many at a time as wanted.
///
/// Usable from any thread; on the connection's own event loop nothing changes threads. Once it has ended, for whatever
/// reason, every command fails with that reason; make a new one.
package final class RedisConnection: Sendable {
    /// The loop that reads and writes.
    package let loop: RedisEventLoop
    /// What each command has, unless it says otherwise.
    package let timeout: Duration
    /// The server it leads to.
    package let address: RedisAddress

    private let channel: any Channel
    private let handler: NIOLoopBound<CommandHandler>
    /// Whether `ASKING` goes before each command: the server is about to get the slot of what is asked for.
    private let isAsking: Bool

    init(
        loop: RedisEventLoop, channel: any Channel, handler: NIOLoopBound<CommandHandler>, timeout: Duration,
        address: RedisAddress, isAsking: Bool = false
    ) {
        self.address = address
        self.isAsking = isAsking
        self.loop = loop
        self.channel = channel
        self.handler = handler
        self.timeout = timeout
    }

    /// Connects and logs in, where sentinels or a cluster have it to the server that they name.
    ///
    /// - Parameters:
    ///   - settings: Where and how; files named in them are read now.
    ///   - key: What is asked for, which decides the server in a cluster.
    ///   - loop: Reads and writes; it must outlive the connection.
    ///   - stop: Ends the attempt, and later the connection, when asked to.
    package static func connect(
        _ settings: RedisSettings, for key: String? = nil, on loop: RedisEventLoop, stop: StopSignal = StopSignal(),
        logger: Logger
    ) async throws(RedisError) -> RedisConnection {
        if settings.sentinel != nil || settings.cluster != nil {
            return try await ServerDirectory(settings).connect(
                for: key.map { Array($0.utf8) }, on: loop, stop: stop, logger: logger)
        }
        let connection = try await ConnectionOpening(settings, loop, stop, logger).open()
        do throws(RedisError) {
            try await connection.logIn(settings)
        } catch {
            connection.close()
            throw error
        }
        return connection
    }

    /// Sends a command and waits for its answer; an error answer is thrown.
    package func command(_ command: RESPCommand, timeout: Duration? = nil) async throws(RedisError) -> RESPValue {
        let value = try await self.submit(command, timeout: timeout).reply().value()
        if case .error(let text) = value { throw .answer(text, to: command.name) }
        return value
    }

    /// Asks whether the server answers.
    package func ping() async throws(RedisError) {
        let answer = try await self.command(RESPCommand("PING"))
        guard answer.string == "PONG" else { throw .unexpectedAnswer(to: "PING", "expected PONG") }
    }

    /// Puts a command on its way, before this returns where it is called on the event loop.
    package func submit(_ command: RESPCommand, timeout: Duration? = nil) -> PendingReply {
        self.submit(command, timeout: .command(timeout ?? self.timeout))
    }

    /// Sends a command, before this returns if called on the event loop.
    func submit(_ command: RESPCommand, timeout: ReplyTimeout, leavesOutToFit: Bool = false) -> PendingReply {
        self.submit(encoded: command.encoded(), timeout: timeout, leavesOutToFit: leavesOutToFit)
    }

    /// Sends several commands in one write; at most `CommandQueue.commandLimit`.
    package func submit(_ commands: [RESPCommand]) -> [PendingReply] {
        self.submit(commands, timeout: .command(self.timeout))
    }

    /// Sends several commands in one write, each with a time of its own; at most `CommandQueue.commandLimit`.
    ///
    /// - Parameter leavesOutToFit: Whether values are left out that a reply as a whole has no room for: for questions whose
    ///   answers bring more than is looked at.
    func submit(_ commands: [RESPCommand], timeout: ReplyTimeout, leavesOutToFit: Bool = false) -> [PendingReply] {
        let waiters = commands.map { _ in PendingReply(leavesOutToFit: leavesOutToFit) }
        let encoded = commands.map { $0.encoded() }
        let isAsking = self.isAsking
        self.onLoop { handler in
            for (index, waiter) in waiters.enumerated() {
                if isAsking { handler.submit(Self.asking, PendingReply(), timeout: timeout, flush: false) }
                handler.submit(encoded[index], waiter, timeout: timeout, flush: index == waiters.count - 1)
            }
        }
        return waiters
    }

    /// Puts a command that is encoded already on its way.
    ///
    /// - Parameters:
    ///   - outlinedFrom: The fewest entries of a reply that is waited for with `PendingReply.outline` first.
    ///   - leavesOutToFit: Whether values are left out that the reply as a whole has no room for, instead of ending the
    ///     connection. Values that are too large by themselves are left out in any case.
    func submit(
        encoded: [UInt8], timeout: ReplyTimeout, outlinedFrom: Int? = nil, leavesOutToFit: Bool = false
    ) -> PendingReply {
        let waiter = PendingReply(outlinedFrom: outlinedFrom, leavesOutToFit: leavesOutToFit)
        let isAsking = self.isAsking
        self.onLoop { handler in
            if isAsking { handler.submit(Self.asking, PendingReply(), timeout: timeout, flush: false) }
            handler.submit(encoded, waiter, timeout: timeout, flush: true)
        }
        return waiter
    }

    private static let asking = RESPCommand("ASKING").encoded()

    /// Reports the parts of a reply that is still coming.
    func reportParts(to progress: ProgressReporter) {
        self.onLoop { $0.progress = progress }
    }

    /// The same connection, with `ASKING` before each command.
    func asking() -> RedisConnection {
        RedisConnection(
            loop: self.loop, channel: self.channel, handler: self.handler, timeout: self.timeout,
            address: self.address, isAsking: true)
    }

    /// Reads replies that have come and were announced; only on the event loop.
    func readReplies() {
        self.handler.value.readReplies()
    }

    /// Takes a reply back to use its memory again; only on the event loop.
    func recycle(_ reply: sending RESPReply) {
        self.handler.value.recycle(reply)
    }

    /// Ends the connection; whoever waits is told so. From any thread, also more than once.
    package func close() {
        self.close(with: .closedHere)
    }

    /// Ends the connection for a reason.
    func close(with reason: RedisError) {
        self.onLoop { $0.fail(reason) }
    }

    /// Sends AUTH, SELECT and PING at once and looks at their answers in turn.
    private func logIn(_ settings: RedisSettings) async throws(RedisError) {
        let password: Secret?
        if let file = settings.passwordFile {
            password = try PasswordFile.read(file)
        } else {
            password = settings.password
        }
        let login = Login(settings, password: password)
        let waiters = self.submit(login.steps.map(\.command))
        for (step, waiter) in zip(login.steps, waiters) {
            let answer = try await waiter.reply().value()
            if let failure = login.failure(of: step, answer) { throw failure }
        }
    }

    private func onLoop(_ body: @escaping @Sendable (CommandHandler) -> Void) {
        let handler = self.handler
        if self.loop.eventLoop.inEventLoop {
            body(handler.value)
        } else {
            self.loop.eventLoop.execute { body(handler.value) }
        }
    }
}

extension RESPCommand {
    /// The command's name, for messages.
    var name: String { self.arguments.first.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}
