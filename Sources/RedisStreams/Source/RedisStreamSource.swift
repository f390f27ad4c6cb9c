public import Logging
public import StageKit

/// The entries of a Redis stream, read with XREAD, over connections that are made anew when they break.
///
/// `run` reads, and calls `deliver`, on the thread of one event loop of its own: a reply is worked on where it was read.
/// The next read is under way while a batch is worked on. Transient failures are retried for ever, from where the last
/// delivered batch ended; permanent ones (`RedisError.isTransient`) end the run.
public final class RedisStreamSource: EventSource {
    /// What a blocking read has on top of its block: the server ends a block up to 100 ms late (hz 10), and a slow
    /// network or server is no reason to throw a good connection away.
    static let readMargin = Duration.seconds(10)

    /// The stream's key.
    public let stream: String

    private let settings: RedisSettings
    private let streamSettings: RedisStreamSettings
    private let logger: Logger
    private let stopSignal = StopSignal()
    private let board = OrderedMutex(SourceStatus())

    /// Makes a source that has not started; it opens nothing.
    public init(_ settings: RedisSettings, _ streamSettings: RedisStreamSettings, logger: Logger) {
        self.stream = streamSettings.stream
        self.settings = settings
        self.streamSettings = streamSettings
        self.logger = logger
    }

    /// How the source is doing.
    public var status: SourceStatus { self.board.withLock { $0 } }

    /// Ends the run: a waiting read or a wait ends at once, a batch in hand is finished.
    public func stop() {
        self.stopSignal.stop()
    }

    /// Delivers batches until told to stop; cancelling the task is the same as `stop`.
    ///
    /// Throws `RedisError` where trying again cannot help, and what `deliver` throws.
    public func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        defer { self.update { $0.state = .stopped } }
        if self.stopSignal.isStopped { return }
        let loop = RedisEventLoop()
        let reader = StreamReader(
            settings: self.settings, streamSettings: self.streamSettings, loop: loop, stop: self.stopSignal,
            logger: self.logger, update: { change in self.update(change) })
        var failure: (any Error)?
        do {
            try await withTaskCancellationHandler {
                try await withTaskExecutorPreference(loop.executor) {
                    try await reader.run(deliver)
                }
            } onCancel: {
                self.stop()
            }
        } catch {
            failure = error
        }
        // Off the loop's thread again, which could not wait for its own end.
        await loop.shutDown()
        if let failure {
            if let error = failure as? RedisError { self.update { $0.lastError = error.message } }
            throw failure
        }
    }

    private func update(_ change: (inout SourceStatus) -> Void) {
        self.board.withLock { change(&$0) }
    }
}

extension RedisStreamSource {
    /// The source for the catalogue: `source: { redis_stream: { stream: ... } }`, with the section `redis`.
    public static let sourceType = SourceType(
        name: "redis_stream", summary: "Reads the entries of a Redis stream.", settings: RedisStreamSettings.type
    ) { streamSettings, setup in
        setup.section("redis", RedisSettings.type).map {
            RedisStreamSource($0, streamSettings, logger: setup.logger)
        }
    }
}
