public import ComponentKit
public import Logging
import RESP
public import RedisClient
public import StageKit
import Synchronization

/// Publishes revocations, evictions and resets on a Redis channel or stream, each at least once and before the cursor
/// moves.
///
/// It has its own connection and event loop, created for the first message. If the server is unavailable, it retries
/// until it is stopped. The stream waits meanwhile, so no message is lost.
public final class RevocationPublisher: RevocationHandler {
    private let target: RevocationSettings.Target
    private let sender: CommandSender
    private let collected = Mutex<[Revocation]>([])

    /// Creates a publisher without opening a connection.
    ///
    /// - Parameters:
    ///   - settings: The server.
    ///   - revocations: The channel or stream.
    ///   - progress: The reporter of answers, attempts and delays. Pass the pipeline's reporter; otherwise the watchdog
    ///     treats a long wait as a hang.
    ///   - connections: The connections of the run so far. Pass the pipeline's history; otherwise failing credentials
    ///     are permanent until this publisher itself was connected.
    ///   - logger: The logger.
    public init(
        _ settings: RedisSettings, _ revocations: RevocationSettings, progress: ProgressReporter = ProgressReporter(),
        connections: ConnectionHistory = ConnectionHistory(), logger: Logger
    ) {
        self.target = revocations.target
        self.sender = CommandSender(
            settings.used(for: "revocations"), CommandSender.Rules(patience: nil, endsAtRefusal: true), connections,
            what: "revocations", progress: progress, logger: logger)
    }

    /// Stores the key until the end of the batch. The batch size bounds the number of stored keys.
    public func revoke(_ event: borrowing Event, key: FieldID) {
        let revocation = Revocation.revoked(Self.bytes(of: key, event), event.orderID)
        self.collected.withLock { $0.append(revocation) }
    }

    /// Stores the key and the reason until the end of the batch.
    public func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        let eviction = Revocation.evicted(Self.bytes(of: key, event), event.orderID, reason: reason)
        self.collected.withLock { $0.append(eviction) }
    }

    /// Publishes a reset and waits until the server has acknowledged it.
    ///
    /// - Throws: As `endBatch`.
    public func reset(_ reset: StoreReset) async throws {
        _ = try await self.sender.send([Revocation.reset(reset).command(to: self.target)])
    }

    /// Publishes the evictions of expired snapshots and waits until the server has acknowledged them.
    ///
    /// - Throws: As `endBatch`.
    public func expired(_ snapshots: [ExpiredSnapshot]) async throws {
        let evictions = snapshots.map { Revocation.evicted($0.key, $0.entry, reason: ExpiredSnapshot.reason) }
        _ = try await self.sender.send(evictions.map { $0.command(to: self.target) })
    }

    /// Publishes the stored messages in order and waits until the server has acknowledged all of them.
    ///
    /// Cancelling the task has the same effect as `stop`.
    ///
    /// - Throws: `RedisError` if a retry cannot help, or if the publisher is stopped before all messages are
    ///   acknowledged.
    public func endBatch() async throws {
        let collected = self.collected.withLock { collected in
            defer { collected.removeAll(keepingCapacity: true) }
            return collected
        }
        if collected.isEmpty { return }
        _ = try await self.sender.send(collected.map { $0.command(to: self.target) })
    }

    private static func bytes(of key: FieldID, _ event: borrowing Event) -> [UInt8] {
        event.withValue(of: key) { value in
            var bytes: [UInt8] = []
            if let value {
                for index in value.indices { bytes.append(value[index]) }
            }
            return bytes
        }
    }

    /// Cancels current delays and attempts; nothing more is published. Can be called from any thread and more than
    /// once.
    public func stop() {
        self.sender.stop()
    }

    /// Stops, closes the connection and ends the thread. Must be called once, when no batch is in progress.
    public func shutDown() async {
        await self.sender.shutDown()
    }
}
