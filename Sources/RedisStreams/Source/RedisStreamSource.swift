public import ComponentKit
public import Logging
public import RedisClient
public import StageKit
import Synchronization

/// Reads the entries of one or more Redis streams with XREAD, and reconnects when a connection breaks.
///
/// Several streams are read concurrently, each over its own connection to the server that has it. Their batches are
/// delivered one at a time: in order within a stream, in no particular order between streams.
///
/// `run` reads and calls `deliver` on the thread of its own event loop: a reply is processed on the thread that read
/// it. The next read is in flight while a batch is processed. Transient failures are retried, indefinitely unless
/// `reconnect.attempts` is set, from the end of the last delivered batch. Permanent failures (`RedisError.isTransient`)
/// end the run.
public final class RedisStreamSource: EventSource {
    /// The stream's key; for several streams, their keys or the pattern that they are made from.
    public let stream: String
    /// The keys of all streams.
    public let streams: [String]
    /// The obstacle to stages with a saved state: several streams, a group or a bootstrap from keys.
    public var stateObstacle: String? {
        if self.streams.count > 1 { return "with several streams: the order of their entries is not known" }
        if self.group != nil { return "in a group: each worker receives only a part of the entries" }
        if case .keys = self.streamSettings.bootstrap {
            return "with bootstrap: keys: the keys are delivered like entries"
        }
        return nil
    }

    /// `redis`.
    public var system: String { "redis" }

    /// The settings of the streams.
    package let streamSettings: RedisStreamSettings

    private let settings: RedisSettings
    private let logger: Logger
    private let stopSignal = StopSignal()
    private let stores: FedStores
    private let checkpoint: (any CheckpointKeeper)?
    private let connections: ConnectionHistory
    private let boards: OrderedMutex<[SourceBoard]>
    /// Passes on the batches of several streams, or `nil` for one stream.
    private let handoff: BatchHandoff?
    /// Counts the parts of large replies, in addition to the progress that the boards count.
    private let arrivals = ProgressReporter()
    /// Whether batches without entries are delivered while the stream is silent.
    private let isTimed = Atomic<Bool>(false)
    /// The kernel's id of the thread that delivers batches, or 0 before the run.
    private let thread = Atomic<Int32>(0)

    /// Creates a source that has not started; opens no connection.
    ///
    /// - Parameters:
    ///   - settings: The settings of the Redis server.
    ///   - streamSettings: Which streams to read, and how.
    ///   - stores: The stores that the events update. They are emptied if entries were lost, and their freshness is
    ///     updated.
    ///   - checkpoint: Keeps the stores across restarts, or `nil`.
    ///   - handler: Notified after a store was emptied, or `nil`.
    ///   - connections: The connections of the run so far, which other components of the run may share.
    ///   - logger: The source's logger.
    public init(
        _ settings: RedisSettings, _ streamSettings: RedisStreamSettings, stores: [any SnapshotStore] = [],
        checkpoint: (any CheckpointKeeper)? = nil, handler: (any RevocationHandler)? = nil,
        connections: ConnectionHistory = ConnectionHistory(), logger: Logger
    ) {
        self.stream = streamSettings.name
        self.streams = streamSettings.keys
        self.settings = settings
        self.streamSettings = streamSettings
        self.stores = FedStores(stores, streams: streamSettings.keys.count, handler: handler)
        self.boards = OrderedMutex(Array(repeating: SourceBoard(), count: streamSettings.keys.count))
        self.handoff = streamSettings.keys.count > 1 ? BatchHandoff(readers: streamSettings.keys.count) : nil
        self.checkpoint = checkpoint
        self.connections = connections
        self.logger = logger
        if streamSettings.keys.count > 1 {
            for store in stores.compactMap(\.streamFed) { store.setStreams(streamSettings.keys) }
        }
        for store in stores {
            store.freshness?.setLimit(streamSettings.maxStaleness)
            // With start `tail`, an empty store is complete; with any other start it is not filled yet.
            let isFilled = streamSettings.start == .tail && streamSettings.bootstrap == .none
            // A worker of a group processes part of the stream and never fills a store.
            store.freshness?.setFilling(!isFilled && streamSettings.group == nil)
        }
    }

    /// The group whose workers share the entries, or `nil` if this source reads all of them.
    public var group: GroupSettings? { self.streamSettings.group }

    /// The current status of the source.
    public var status: SourceStatus {
        var status = self.boards.withLock { $0.status }
        status.undelivered = self.handoff?.undelivered
        status.patience = self.patience
        status.pulses &+= self.arrivals.pulses
        let thread = self.thread.load(ordering: .relaxed)
        status.thread = thread > 0 ? thread : nil
        return status
    }

    /// The longest time without progress: a blocked read, the maximum delay, and then opening a connection, including
    /// the timeout of each query.
    private var patience: Duration {
        let connecting = self.settings.connectTimeout + self.settings.timeout * 2
        let reading = self.streamSettings.readBlock + self.streamSettings.readMargin
        return reading + self.streamSettings.reconnect.maximumDelay + connecting * 2
    }

    /// The bookmark up to which the stores hold all streams of the source, or `nil` while they are being filled.
    public var bookmark: SourceBookmark? {
        let boards = self.boards.withLock { $0 }
        return SharedCheckpoint.bookmark(
            zip(boards, self.streams).map { board, stream in
                board.bookmark.map { bookmark in
                    let whole = CheckpointBookmark(bookmark: bookmark, database: self.settings.database, stream: stream)
                    return SourceBookmark(epoch: board.epoch, cursor: bookmark.cursor, text: whole.text)
                }
            })
    }

    /// Delivers the time at the end of each blocked read that found nothing, if the server reports its clock. A worker of
    /// a group does not know what the others have read, and several streams have several times.
    public func deliverTimes() {
        if self.group == nil, self.streams.count == 1 { self.isTimed.store(true, ordering: .relaxed) }
    }

    /// Stops the run: a blocked read or a delay ends immediately, and a batch in flight is finished.
    public func stop() {
        self.stopSignal.stop()
    }

    /// Delivers batches until the source is stopped; cancelling the task has the same effect as `stop`.
    ///
    /// - Throws: `RedisError` if retrying cannot help, and the errors of `deliver`.
    public func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        defer { self.updateAll { $0.status.state = .stopped } }
        if self.stopSignal.isStopped { return }
        let loop = RedisEventLoop()
        let directory = ServerDirectory(
            self.settings.used(for: self.group == nil ? "source" : "group"), self.connections)
        // Stops watching the sentinels when reading ends.
        let isOver = StopSignal()
        var failure: (any Error)?
        do {
            try await withTaskCancellationHandler {
                try await withTaskExecutorPreference(loop.executor) {
                    self.thread.store(KernelThread.current ?? 0, ordering: .relaxed)
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { await directory.watchMaster(on: loop, until: isOver, logger: self.logger) }
                        defer { isOver.stop() }
                        if let shared = self.streamSettings.group {
                            try await self.runShared(shared, directory, loop, deliver)
                        } else {
                            try await self.read(directory, loop, deliver)
                        }
                    }
                }
            } onCancel: {
                self.stop()
            }
        } catch {
            failure = error
        }
        // No longer on the loop's thread, which could not wait for its own end.
        await loop.shutDown()
        if let failure {
            if let error = failure as? RedisError { self.updateAll { $0.status.lastError = error.message } }
            throw failure
        }
    }

    /// Reads entries as one worker of a group.
    private func runShared(
        _ group: GroupSettings, _ directory: ServerDirectory, _ loop: RedisEventLoop,
        _ deliver: (EventBatch) async throws -> Void
    ) async throws {
        let lease = ConsumerLease.take(
            group, scope: "\(self.settings.database) \(self.stream)", address: self.settings.address)
        if let warning = lease.warning(group) {
            self.logger.warning("\(warning)", metadata: ["group": "\(group.name)", "consumer": "\(lease.consumer)"])
        }
        let commands = GroupCommands(stream: self.streams[0], group: group.name, consumer: lease.consumer)
        let reader = GroupReader(self.driver(0, directory, loop, commands), group, commands)
        // This worker keeps the name until it has left the group.
        defer { withExtendedLifetime(lease) {} }
        try await reader.run(deliver)
    }

    private func update(_ index: Int, _ change: (inout SourceBoard) -> Void) {
        self.boards.withLock { boards in
            boards[index].status.pulses &+= 1
            change(&boards[index])
        }
    }

    private func updateAll(_ change: (inout SourceBoard) -> Void) {
        self.boards.withLock { boards in
            for index in boards.indices { change(&boards[index]) }
        }
    }

    /// Reads all streams until the source is stopped, or until one of them cannot be read.
    private func read(
        _ directory: ServerDirectory, _ loop: RedisEventLoop, _ deliver: (EventBatch) async throws -> Void
    ) async throws {
        let keeper = self.checkpoint
        guard let handoff = self.handoff else {
            let reader = self.reader(0, directory, loop) { try keeper?.load() }
            return try await reader.run(deliver)
        }
        let checkpoint = keeper.map { SharedCheckpoint($0, streams: self.streams.count) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in self.streams.indices {
                group.addTask(executorPreference: loop.executor) {
                    defer { handoff.readerEnded() }
                    do {
                        let reader = self.reader(index, directory, loop) { try checkpoint?.load(index) }
                        try await reader.run { batch in try await handoff.offer(batch) }
                    } catch {
                        // A stream that cannot be read ends the run for all streams, because its entries would be
                        // missing.
                        self.stop()
                        throw error
                    }
                }
            }
            while let offer = await handoff.next() {
                do {
                    try await deliver(unsafe offer.batch)
                    offer.done.set(nil)
                } catch {
                    offer.done.set(error)
                }
            }
            try await group.waitForAll()
        }
    }

    /// Creates the reader of one stream, on the thread that it runs on.
    private func reader(
        _ index: Int, _ directory: ServerDirectory, _ loop: RedisEventLoop, _ load: @escaping () throws -> String?
    ) -> StreamReader {
        StreamReader(
            self.driver(index, directory, loop), index: index, stores: self.stores, checkpoint: self.checkpoint,
            isTimed: { self.isTimed.load(ordering: .relaxed) }, loadBookmark: load)
    }

    /// Creates the driver of one stream; `group` has the commands of the group that shares the stream, if one does.
    private func driver(
        _ index: Int, _ directory: ServerDirectory, _ loop: RedisEventLoop, _ group: GroupCommands? = nil
    ) -> StreamDriver {
        var streamSettings = self.streamSettings
        streamSettings.stream = self.streams[index]
        return StreamDriver(
            self.settings, directory, streamSettings, index: index, group: group, loop: loop, stop: self.stopSignal,
            logger: self.logger, arrivals: self.arrivals, update: { change in self.update(index, change) })
    }
}
