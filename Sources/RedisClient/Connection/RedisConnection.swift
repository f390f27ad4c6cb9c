import ComponentKit
public import Logging
import NIOCore
public import RESP
package import StageKit

/// One logged-in connection to a server. Sends any number of commands in parallel and returns the replies in order.
///
/// Usable from any thread; calls on the connection's own event loop do not switch threads. Once the connection has
/// ended, every command fails with the reason for the end; create a new connection.
public final class RedisConnection: Sendable {
    /// The event loop that reads and writes.
    package let loop: RedisEventLoop
    /// The default timeout of a command.
    public let timeout: Duration
    /// The address of the server.
    public let address: RedisAddress

    private let channel: any Channel
    private let handler: NIOLoopBound<CommandHandler>
    /// Whether `ASKING` is sent before each command, because the server is still importing the key's slot.
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

    /// Connects and logs in. With sentinels or a cluster, connects to the server that they name.
    ///
    /// - Parameters:
    ///   - settings: The address and the credentials. Files that they name are read now.
    ///   - key: The key that will be used, which determines the server in a cluster.
    ///   - loop: The event loop that reads and writes; it must outlive the connection.
    ///   - stop: The signal that cancels the attempt and later closes the connection.
    /// - Throws: `RedisError` if the connection or the login fails.
    public static func connect(
        _ settings: RedisSettings, for key: String? = nil, on loop: RedisEventLoop, stop: StopSignal = StopSignal(),
        logger: Logger
    ) async throws(RedisError) -> RedisConnection {
        let history = ConnectionHistory()
        if settings.sentinel != nil || settings.cluster != nil {
            return try await ServerDirectory(settings, history).connect(
                for: key.map { Array($0.utf8) }, on: loop, stop: stop, logger: logger)
        }
        return try await self.connect(
            settings, CredentialPolicy(settings, in: history), on: loop, stop: stop, logger: logger)
    }

    /// Connects to the server of `settings` itself and logs in.
    ///
    /// - Parameter policy: Decides whether failing credentials are permanent.
    static func connect(
        _ settings: RedisSettings, _ policy: CredentialPolicy, on loop: RedisEventLoop, stop: StopSignal, logger: Logger
    ) async throws(RedisError) -> RedisConnection {
        do throws(RedisError) {
            let connection = try await ConnectionOpening(settings, loop, stop, logger).open()
            do throws(RedisError) {
                try await connection.logIn(settings)
            } catch {
                connection.close()
                throw error.asLogin
            }
            policy.accepted()
            return connection
        } catch {
            throw policy.judged(error)
        }
    }

    /// Sends a command and waits for its answer.
    ///
    /// - Throws: `RedisError` if the connection ends or the answer is an error.
    public func command(_ command: RESPCommand, timeout: Duration? = nil) async throws(RedisError) -> RESPValue {
        let value = try await self.submit(command, timeout: timeout).reply().value()
        if case .error(let text) = value { throw .answer(text, to: command.name) }
        return value
    }

    /// Sends PING and checks the answer.
    public func ping() async throws(RedisError) {
        let answer = try await self.command(RESPCommand("PING"))
        guard answer.string == "PONG" else { throw .unexpectedAnswer(to: "PING", "expected PONG") }
    }

    /// Sends a command; if called on the event loop, the command is written before this returns.
    package func submit(_ command: RESPCommand, timeout: Duration? = nil) -> PendingReply {
        self.submit(command, timeout: .command(timeout ?? self.timeout))
    }

    /// Sends a command; if called on the event loop, the command is written before this returns.
    package func submit(_ command: RESPCommand, timeout: ReplyTimeout, leavesOutToFit: Bool = false) -> PendingReply {
        self.submit(encoded: command.encoded(), timeout: timeout, leavesOutToFit: leavesOutToFit)
    }

    /// Sends at most `CommandQueue.commandLimit` commands in one write.
    package func submit(_ commands: [RESPCommand]) -> [PendingReply] {
        self.submit(commands, timeout: .command(self.timeout))
    }

    /// Sends at most `CommandQueue.commandLimit` commands in one write, each with its own timeout.
    ///
    /// - Parameter leavesOutToFit: Whether values are omitted if a reply exceeds the size limit, for commands whose
    ///   replies contain more than the caller uses.
    package func submit(
        _ commands: [RESPCommand], timeout: ReplyTimeout, leavesOutToFit: Bool = false
    ) -> [PendingReply] {
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

    /// Sends an encoded command.
    ///
    /// - Parameters:
    ///   - outlinedFrom: The minimum number of entries for which `PendingReply.outline` returns a value; `outline` must
    ///     then be awaited before the reply.
    ///   - leavesOutToFit: Whether values are omitted if the reply exceeds the size limit, instead of closing the
    ///     connection. A single value above the limit is always omitted.
    package func submit(
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

    /// Sets the reporter that is notified when part of a large reply arrives.
    package func reportParts(to progress: ProgressReporter) {
        self.onLoop { $0.progress = progress }
    }

    /// Returns a view of this connection that sends `ASKING` before each command.
    func asking() -> RedisConnection {
        RedisConnection(
            loop: self.loop, channel: self.channel, handler: self.handler, timeout: self.timeout,
            address: self.address, isAsking: true)
    }

    /// Parses replies that are complete and announced. Must be called on the event loop.
    package func readReplies() {
        self.handler.value.readReplies()
    }

    /// Returns a reply to the parser, which reuses its memory. Must be called on the event loop.
    package func recycle(_ reply: sending RESPReply) {
        self.handler.value.recycle(reply)
    }

    /// Closes the connection and fails all waiting commands. Can be called from any thread and more than once.
    public func close() {
        self.close(with: .closedHere)
    }

    /// Closes the connection and fails all waiting commands with `reason`.
    func close(with reason: RedisError) {
        self.onLoop { $0.fail(reason) }
    }

    /// Sends the login commands in one write and checks their answers in order.
    private func logIn(_ settings: RedisSettings) async throws(RedisError) {
        let password: Secret?
        if let file = settings.passwordFile {
            password = try PasswordFile.read(file)
        } else {
            password = settings.password
        }
        let login = Login(settings, password: password)
        let waiters = self.submit(login.steps.map(\.command) + login.naming)
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
