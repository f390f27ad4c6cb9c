public import ComponentKit
public import Logging
import RESP
public import RedisClient
public import StageKit

/// Sends messages with XADD and PUBLISH, many at a time, over its own connection, which is opened at first use.
///
/// Delivery is at least once, as for every `MessagePublisher`. If the server refuses a command (WRONGTYPE, NOPERM and so
/// on), that message fails. If the server is unavailable or out of memory, the messages wait for at most `patience`. If
/// the login fails, the error is thrown, because no message can be sent.
public final class RedisMessagePublisher: MessagePublisher {
    /// How long to wait for an unavailable server before the messages fail and the stage graph handles the failure.
    /// Long enough for a restart or a failover; the stream waits meanwhile.
    public static let defaultPatience = Duration.seconds(30)

    private let sender: CommandSender

    /// Creates a publisher without opening a connection.
    ///
    /// - Parameters:
    ///   - settings: The server.
    ///   - patience: How long to retry without any message being acknowledged.
    ///   - progress: The reporter of answers, attempts and delays. Pass the pipeline's reporter; otherwise the watchdog
    ///     treats a long wait as a hang.
    ///   - connections: The connections of the run so far. Pass the pipeline's history; otherwise failing credentials
    ///     are permanent until this publisher itself was connected.
    ///   - logger: The logger.
    public init(
        _ settings: RedisSettings, patience: Duration = RedisMessagePublisher.defaultPatience,
        progress: ProgressReporter = ProgressReporter(), connections: ConnectionHistory = ConnectionHistory(),
        logger: Logger
    ) {
        self.sender = CommandSender(
            settings.used(for: "messages"), CommandSender.Rules(patience: patience, endsAtRefusal: false), connections,
            what: "messages", progress: progress, logger: logger)
    }

    /// Sends messages and waits until each is acknowledged or has failed.
    ///
    /// - Returns: For each message its failure, or `nil` if it was acknowledged.
    /// - Throws: `RedisError` if no connection can be opened and a retry cannot help, or if the task is cancelled.
    public func publish(_ messages: [OutgoingMessage]) async throws -> [PublishFailure?] {
        if messages.isEmpty { return [] }
        let results = try await self.sender.send(messages.map { $0.command() })
        return results.map { error in error.map { PublishFailure($0.message) } }
    }

    /// Cancels a current wait and closes the connection; later calls fail.
    public func shutDown() async {
        await self.sender.shutDown()
    }
}

extension OutgoingMessage {
    /// Returns the command that sends the message.
    func command() -> RESPCommand {
        switch self {
        case .text(let channel, let payload): return RESPCommand("PUBLISH", channel, payload)
        case .entry(let stream, let maxLength, let fields):
            var arguments = [stream.respBytes]
            if let maxLength { arguments += ["MAXLEN".respBytes, "~".respBytes, maxLength.respBytes] }
            arguments.append("*".respBytes)
            for field in fields { arguments += [field.name, field.value] }
            return RESPCommand("XADD", arguments: arguments)
        }
    }
}
