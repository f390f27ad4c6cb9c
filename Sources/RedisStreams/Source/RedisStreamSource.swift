public import Logging
public import StageKit

/// The entries of a Redis stream, read with XREAD, over connections that are made anew when they break.
///
/// `run` reads, and calls `deliver`, on the thread of one event loop of its own: a reply is worked on where it was read.
/// The next read is under way while a batch is worked on. Transient failures are retried for ever, from where the last
/// delivered batch ended; permanent ones (`RedisError.isTransient`) end the run.
public final class RedisStreamSource: EventSource {
    /// The stream's key.
    public let stream: String

    private let settings: RedisSettings
    private let streamSettings: RedisStreamSettings
    private let logger: Logger
    private let stopSignal = StopSignal()
    private let stores: [any SnapshotStore]
    private let checkpoint: (any CheckpointKeeper)?
    private let board = OrderedMutex(SourceBoard())

    /// Makes a source that has not started; it opens nothing.
    ///
    /// - Parameters:
    ///   - settings: Where the server is.
    ///   - streamSettings: What is read and how.
    ///   - stores: What the events build: emptied where entries were lost, and told how new their news is.
    ///   - checkpoint: Where the stores outlive the process; nil for nowhere.
    ///   - logger: Where the source logs.
    public init(
        _ settings: RedisSettings, _ streamSettings: RedisStreamSettings, stores: [any SnapshotStore] = [],
        checkpoint: (any CheckpointKeeper)? = nil, logger: Logger
    ) {
        self.stream = streamSettings.stream
        self.settings = settings
        self.streamSettings = streamSettings
        self.stores = stores
        self.checkpoint = checkpoint
        self.logger = logger
        for store in stores {
            store.freshness?.setLimit(streamSettings.maxStaleness)
            // From the tail, an empty store is as it should be; anywhere else it is not filled yet.
            let isFilled = streamSettings.start == .tail && streamSettings.bootstrap == .none
            // A group's worker has a part of the stream to work off, and never a store to fill.
            store.freshness?.setFilling(!isFilled && streamSettings.group == nil)
        }
    }

    /// The group whose workers share the entries; nil where this source has them all.
    public var group: GroupSettings? { self.streamSettings.group }

    /// How the source is doing.
    public var status: SourceStatus { self.board.withLock { $0.status } }

    /// Where the source is, while the stores hold all of the stream up to there; nil while they are filled.
    public var position: SourcePosition? {
        let (mark, epoch) = self.board.withLock { ($0.mark, $0.epoch) }
        let stream = "\(self.settings.database) \(self.stream)"
        return mark.map { SourcePosition(epoch: epoch, cursor: $0.cursor, text: "\($0.text)\nstream \(stream)") }
    }

    /// Ends the run: a waiting read or a wait ends at once, a batch in hand is finished.
    public func stop() {
        self.stopSignal.stop()
    }

    /// Delivers batches until told to stop; cancelling the task is the same as `stop`.
    ///
    /// Throws `RedisError` where trying again cannot help, and what `deliver` throws.
    public func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        defer { self.update { $0.status.state = .stopped } }
        if self.stopSignal.isStopped { return }
        let loop = RedisEventLoop()
        var failure: (any Error)?
        do {
            try await withTaskCancellationHandler {
                try await withTaskExecutorPreference(loop.executor) {
                    if let group = self.streamSettings.group {
                        try await self.runShared(group, loop, deliver)
                    } else {
                        try await self.runAlone(loop, deliver)
                    }
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
            if let error = failure as? RedisError { self.update { $0.status.lastError = error.message } }
            throw failure
        }
    }

    /// Reads all entries.
    private func runAlone(_ loop: RedisEventLoop, _ deliver: (EventBatch) async throws -> Void) async throws {
        let reader = StreamReader(
            settings: self.settings, streamSettings: self.streamSettings, stores: self.stores,
            checkpoint: self.checkpoint, loop: loop, stop: self.stopSignal, logger: self.logger,
            update: { change in self.update(change) })
        try await reader.run(deliver)
    }

    /// Reads a group's entries together with its other workers.
    private func runShared(
        _ group: GroupSettings, _ loop: RedisEventLoop, _ deliver: (EventBatch) async throws -> Void
    ) async throws {
        let lease = try ConsumerLease.take(
            group, scope: "\(self.settings.database) \(self.stream)", address: self.settings.address)
        let reader = GroupReader(
            settings: self.settings, streamSettings: self.streamSettings, group: group, consumer: lease.consumer,
            loop: loop, stop: self.stopSignal, logger: self.logger, update: { change in self.update(change) })
        // The name is this worker's until it has left.
        defer { withExtendedLifetime(lease) {} }
        try await reader.run(deliver)
    }

    private func update(_ change: (inout SourceBoard) -> Void) {
        self.board.withLock { board in
            board.status.pulses &+= 1
            change(&board)
        }
    }
}

extension RedisStreamSource {
    /// The source for the catalogue: `source: { redis_stream: { stream: ... } }`, with the section `redis`.
    public static let sourceType = SourceType(
        name: "redis_stream", summary: "Reads the entries of a Redis stream.", settings: RedisStreamSettings.type
    ) { streamSettings, setup in
        if streamSettings.start == .resume, setup.checkpoint == nil {
            setup.issues.add(
                "redis_stream: start is resume, but there is no section checkpoint to resume from", at: setup.mark)
        }
        streamSettings.checkGroup(setup)
        return setup.section("redis", RedisSettings.type).map {
            RedisStreamSource(
                $0, streamSettings, stores: setup.stores.sorted { $0.key < $1.key }.map(\.value),
                checkpoint: setup.checkpoint, logger: setup.logger)
        }
    }
}

extension RedisStreamSettings {
    /// Tells what else of the file cannot stand beside a group, or does not do what one may think.
    fileprivate func checkGroup(_ setup: ComponentSetup) {
        guard let group = self.group else {
            if let mark = setup.failureMark {
                setup.issues.add(
                    "source: on_failure is for entries that a group's workers were delivered too often: add group to "
                        + "redis_stream, or leave it out", at: mark)
            }
            return
        }
        if setup.checkpoint != nil {
            setup.issues.add(
                "redis_stream: a group and a section checkpoint cannot stand together: the server keeps the group's "
                    + "place, and a worker's stores hold a part of the stream", at: setup.mark)
        }
        for (name, store) in setup.stores.sorted(by: { $0.key < $1.key }) where !store.isShared {
            setup.warnings.add(
                "stores: \"\(name)\" is this process's own: each worker of the group \(group.name) holds what it was "
                    + "delivered, and no look-up finds the rest", at: setup.mark)
        }
    }
}
