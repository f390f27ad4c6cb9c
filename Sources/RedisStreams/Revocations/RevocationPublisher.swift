public import Logging
import RESP
public import StageKit
import Synchronization

/// Publishes revocations, evictions and resets on a Redis channel or stream, each at least once, before the cursor moves.
///
/// It has a connection and an event loop of its own, made with the first message. If the server is away it tries again
/// until it is stopped, so the stream waits: no message is lost.
public final class RevocationPublisher: RevocationHandler {
    private let target: RevocationSettings.Target
    private let sender: CommandSender
    private let collected = Mutex<[Revocation]>([])

    /// Creates a publisher; it opens nothing.
    ///
    /// - Parameters:
    ///   - settings: The server.
    ///   - revocations: Where revocations are published.
    ///   - progress: Where answers, attempts and delays are reported: the pipeline's, or the watchdog takes a wait for a hang.
    ///   - logger: Where the publisher logs.
    public init(
        _ settings: RedisSettings, _ revocations: RevocationSettings, progress: ProgressReporter = ProgressReporter(),
        logger: Logger
    ) {
        self.target = revocations.target
        self.sender = CommandSender(
            settings, CommandSender.Rules(patience: nil, endsAtRefusal: true), what: "revocations",
            progress: progress, logger: logger)
    }

    /// Keeps the key for the batch's end; a batch bounds how many there are.
    public func revoke(_ event: borrowing Event, key: FieldID) {
        let revocation = Revocation.revoked(Self.bytes(of: key, event), event.orderID)
        self.collected.withLock { $0.append(revocation) }
    }

    /// Keeps the key and the reason for the batch's end.
    public func evicted(_ event: borrowing Event, key: FieldID, reason: String) {
        let eviction = Revocation.evicted(Self.bytes(of: key, event), event.orderID, reason: reason)
        self.collected.withLock { $0.append(eviction) }
    }

    /// Publishes a reset; returns when the server has confirmed it, and throws as `endBatch` does.
    public func reset(_ reset: StoreReset) async throws {
        _ = try await self.sender.send([Revocation.reset(reset).command(to: self.target)])
    }

    /// Tells what was collected, in order; returns when the server has confirmed all of it.
    ///
    /// Throws `RedisError`: where trying again cannot help, and where it was stopped before all was told. Cancelling the
    /// task is the same as `stop`.
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

    /// Ends a wait or an attempt under way; nothing more is told. From any thread, also more than once.
    public func stop() {
        self.sender.stop()
    }

    /// Stops, closes the connection and ends the thread. To be called once, when no batch is under way.
    public func shutDown() async {
        await self.sender.shutDown()
    }
}
