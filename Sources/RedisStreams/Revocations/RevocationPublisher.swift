public import Logging
import RESP
public import StageKit
import Synchronization

/// Tells each revocation on a Redis channel or stream, at least once, before the batch it came in is done.
///
/// It has a connection and an event loop of its own, made with the first revocation. Where the server is away it tries
/// again until told to stop, so the stream waits: nobody misses a revocation.
public final class RevocationPublisher: RevocationHandler {
    /// The most commands on their way at once: far below what a connection takes, enough to hide the round trip.
    static let commandsAtOnce = 512

    private struct State {
        var collected: [Revocation] = []
        var loop: RedisEventLoop?
        var connection: RedisConnection?
    }

    private let settings: RedisSettings
    private let target: RevocationSettings.Target
    private let logger: Logger
    private let stopSignal = StopSignal()
    private let state = Mutex(State())

    /// Makes a publisher; it opens nothing.
    public init(_ settings: RedisSettings, _ revocations: RevocationSettings, logger: Logger) {
        self.settings = settings
        self.target = revocations.target
        self.logger = logger
    }

    /// Keeps the key for the batch's end; a batch bounds how many there are.
    public func revoke(_ event: borrowing Event, key: FieldID) {
        let bytes = event.withValue(of: key) { value in
            var bytes: [UInt8] = []
            if let value {
                for index in value.indices { bytes.append(value[index]) }
            }
            return bytes
        }
        let revocation = Revocation(key: bytes, entry: event.id)
        self.state.withLock { $0.collected.append(revocation) }
    }

    /// Tells what was collected, in order; returns when the server has confirmed all of it.
    ///
    /// Throws `RedisError`: where trying again cannot help, and where it was stopped before all was told. Cancelling the
    /// task is the same as `stop`.
    public func endBatch() async throws {
        let collected = self.state.withLock { state in
            defer { state.collected.removeAll(keepingCapacity: true) }
            return state.collected
        }
        if collected.isEmpty { return }
        try await withTaskCancellationHandler {
            try await self.publish(collected)
        } onCancel: {
            self.stop()
        }
    }

    /// Ends a wait or an attempt under way; nothing more is told. From any thread, also more than once.
    public func stop() {
        self.stopSignal.stop()
    }

    /// Stops, closes the connection and ends the thread. To be called once, when no batch is under way.
    public func shutDown() async {
        self.stop()
        let (connection, loop) = self.state.withLock { state in
            defer { (state.connection, state.loop) = (nil, nil) }
            return (state.connection, state.loop)
        }
        connection?.close()
        await loop?.shutDown()
    }

    /// Tells all of them, a bounded number at once; what was not confirmed is told again on a new connection.
    private func publish(_ revocations: [Revocation]) async throws(RedisError) {
        var done = 0
        var backoff = Backoff()
        while done < revocations.count {
            if self.stopSignal.isStopped {
                throw RedisError(
                    .closed, "stopped before \(revocations.count - done) revocations were told", isTransient: true)
            }
            let chunk = revocations[done..<min(done + Self.commandsAtOnce, revocations.count)]
            do throws(RedisError) {
                let connection = try await self.connect()
                for waiter in connection.submit(chunk.map { $0.command(to: self.target) }) {
                    if let text = try await waiter.reply().errorMessage {
                        throw RedisError.answer(text, to: self.commandName)
                    }
                    done += 1
                }
                backoff.reset()
            } catch {
                self.disconnect()
                if self.stopSignal.isStopped { continue }
                guard error.isTransient else { throw error }
                try await self.wait(backoff.next(), after: error)
            }
        }
    }

    private var commandName: String {
        switch self.target {
        case .channel: "PUBLISH"
        case .stream: "XADD"
        }
    }

    private func wait(_ delay: Duration, after error: RedisError) async throws(RedisError) {
        self.logger.warning(
            "revocations could not be told: trying again",
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
