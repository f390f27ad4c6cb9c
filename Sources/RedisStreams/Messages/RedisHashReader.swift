public import ComponentKit
public import Logging
import RESP
public import RedisClient
public import StageKit

/// Reads fields of hashes with HMGET, many at a time, over its own connection, which is opened at first use.
///
/// If the server refuses a command (WRONGTYPE, NOPERM and so on), that request fails. If the server is unavailable, the
/// requests wait for at most `patience`. If the login fails, the error is thrown, because no hash can be read.
public final class RedisHashReader: HashReader {
    /// How long to wait for an unavailable server before the requests fail and the stage graph handles the failure.
    /// As long as messages wait: enough for a restart or a failover; the stream waits meanwhile.
    public static let defaultPatience = RedisMessagePublisher.defaultPatience

    private let sender: CommandSender

    /// Creates a reader without opening a connection.
    ///
    /// - Parameters:
    ///   - settings: The server.
    ///   - patience: How long to retry without any answer.
    ///   - progress: The reporter of answers, attempts and delays. Pass the pipeline's reporter; otherwise the watchdog
    ///     treats a long wait as a hang.
    ///   - connections: The connections of the run so far. Pass the pipeline's history; otherwise failing credentials
    ///     are permanent until this reader itself was connected.
    ///   - logger: The logger.
    public init(
        _ settings: RedisSettings, patience: Duration = RedisHashReader.defaultPatience,
        progress: ProgressReporter = ProgressReporter(), connections: ConnectionHistory = ConnectionHistory(),
        logger: Logger
    ) {
        self.sender = CommandSender(
            settings.used(for: "hashes"), CommandSender.Rules(patience: patience, endsAtRefusal: false), connections,
            what: "lookups of hashes", progress: progress, logger: logger)
    }

    /// Requests fields of hashes and waits until each request is answered or has failed.
    ///
    /// - Throws: `RedisError` if no connection can be opened and a retry cannot help, or if the task is cancelled.
    public func read(_ requests: [HashRequest]) async throws -> [Result<[[UInt8]?], HashFailure>] {
        if requests.isEmpty { return [] }
        let commands = requests.map { RESPCommand("HMGET", arguments: [$0.key] + $0.fields) }
        let answers = try await self.sender.ask(commands)
        return zip(requests, answers).map { (request, answer) -> Result<[[UInt8]?], HashFailure> in
            switch answer.result {
            case .success(let value): Self.values(value, of: request)
            case .failure(let error): .failure(HashFailure(error.message, isOutage: error.isOutage))
            }
        }
    }

    /// Cancels a current wait and closes the connection; later calls fail.
    public func shutDown() async {
        await self.sender.shutDown()
    }

    private static func values(
        _ value: RESPValue, of request: HashRequest
    ) -> Result<[[UInt8]?], HashFailure> {
        guard let list = value.array, list.count == request.fields.count,
            list.allSatisfy({ $0 == .null || $0.bytes != nil })
        else {
            let error = RedisError.unexpectedAnswer(to: "HMGET", "expected a value for each field")
            return .failure(HashFailure(error.message))
        }
        return .success(list.map(\.bytes))
    }
}
