public import Logging
import RESP
public import StageKit

/// Sends messages with XADD and PUBLISH, many at a time, over a connection of its own that is made at first use.
///
/// At least once, as `MessagePublisher` has it. A command that the server refuses (WRONGTYPE, OOM, NOPERM and so on) is
/// that message's failure. A server that cannot be logged in to is thrown: no message could ever be sent.
public final class RedisMessagePublisher: MessagePublisher {
    /// How long a server that is away is waited for, before the messages fail and the graph decides: long enough for a
    /// restart or a failover, and with the stream waiting meanwhile.
    public static let defaultPatience = Duration.seconds(30)

    private let sender: CommandSender

    /// Creates a publisher; it opens nothing.
    ///
    /// - Parameters:
    ///   - settings: The server.
    ///   - patience: How long to try without any message being acknowledged.
    ///   - progress: Where answers, attempts and delays are reported: the pipeline's, or the watchdog takes a wait for a hang.
    ///   - logger: Where the publisher logs.
    public init(
        _ settings: RedisSettings, patience: Duration = RedisMessagePublisher.defaultPatience,
        progress: ProgressReporter = ProgressReporter(), logger: Logger
    ) {
        self.sender = CommandSender(
            settings, CommandSender.Rules(patience: patience, endsAtRefusal: false), what: "messages",
            progress: progress, logger: logger)
    }

    /// Sends all of them; throws `RedisError` where no connection can ever be had, and where the task is cancelled.
    public func publish(_ messages: [OutgoingMessage]) async throws -> [PublishFailure?] {
        if messages.isEmpty { return [] }
        let results = try await self.sender.send(messages.map { $0.command() })
        return results.map { error in error.map { PublishFailure($0.message) } }
    }

    /// Ends a wait under way and closes the connection; nothing can be sent any more.
    public func shutDown() async {
        await self.sender.shutDown()
    }
}

extension OutgoingMessage {
    /// The command that sends it.
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
