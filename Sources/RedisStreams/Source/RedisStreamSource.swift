public import Logging
public import StageKit
import Synchronization

/// The entries of a Redis stream, or of several, read with XREAD, over connections that are made anew when they break.
///
/// Several streams are read side by side, each on its own connection to the server that has it, and their batches are
/// delivered one at a time: in order within a stream, in no order between two.
///
/// `run` reads, and calls `deliver`, on the thread of one event loop of its own: a reply is worked on where it was read.
/// The next read is under way while a batch is worked on. Transient failures are retried for ever, from where the last
/// delivered batch ended; permanent ones (`RedisError.isTransient`) end the run.
public final class RedisStreamSource: EventSource {
    /// The stream's key; of several, their keys or the pattern they are made of.
    public let stream: String
    /// The keys of all streams.
    public let streams: [String]

    /// What is read and how.
    package let streamSettings: RedisStreamSettings

    private let settings: RedisSettings
    private let logger: Logger
    private let stopSignal = StopSignal()
    private let stores: FedStores
    private let checkpoint: (any CheckpointKeeper)?
    private let boards: OrderedMutex<[SourceBoard]>
    /// Passes the batches of several streams on, or `nil` for one stream.
    private let handoff: BatchHandoff?
    /// Counts the parts of large replies: steps beside those of the boards.
    private let arrivals = ProgressReporter()
    /// The kernel's number of the thread that batches are delivered on, 0 before the run.
    private let thread = Atomic<Int32>(0)

    /// Makes a source that has not started; it opens nothing.
    ///
    /// - Parameters:
    ///   - settings: Where the server is.
    ///   - streamSettings: What is read and how.
    ///   - stores: What the events build: emptied where entries were lost, and told how new their news is.
    ///   - checkpoint: Where the stores outlive the process; nil for nowhere.
    ///   - handler: Notified after a store was emptied, or `nil`.
    ///   - logger: Where the source logs.
    public init(
        _ settings: RedisSettings, _ streamSettings: RedisStreamSettings, stores: [any SnapshotStore] = [],
        checkpoint: (any CheckpointKeeper)? = nil, handler: (any RevocationHandler)? = nil, logger: Logger
    ) {
        self.stream = streamSettings.name
        self.streams = streamSettings.keys
        self.settings = settings
        self.streamSettings = streamSettings
        self.stores = FedStores(stores, streams: streamSettings.keys.count, handler: handler)
        self.boards = OrderedMutex(Array(repeating: SourceBoard(), count: streamSettings.keys.count))
        self.handoff = streamSettings.keys.count > 1 ? BatchHandoff(readers: streamSettings.keys.count) : nil
        self.checkpoint = checkpoint
        self.logger = logger
        if streamSettings.keys.count > 1 {
            for case let store as any StreamFedStore in stores { store.setStreams(streamSettings.keys) }
        }
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
    public var status: SourceStatus {
        var status = self.boards.withLock { $0.status }
        status.undelivered = self.handoff?.undelivered
        status.patience = self.patience
        status.pulses &+= self.arrivals.pulses
        let thread = self.thread.load(ordering: .relaxed)
        status.thread = thread > 0 ? thread : nil
        return status
    }

    /// The longest time between two steps: a blocked read, the longest delay, and then a connection that is opened, each
    /// question with the time that it has.
    private var patience: Duration {
        let connecting = self.settings.connectTimeout + self.settings.timeout * 2
        let reading = self.streamSettings.readBlock + self.streamSettings.readMargin
        return reading + self.streamSettings.reconnect.maximumDelay + connecting * 2
    }

    /// Where the source is, while the stores hold all of its streams up to there; nil while they are filled.
    public var position: SourcePosition? {
        let boards = self.boards.withLock { $0 }
        return SharedCheckpoint.position(
            zip(boards, self.streams).map { board, stream in
                board.mark.map { mark in
                    let position = CheckpointPosition(mark: mark, database: self.settings.database, stream: stream)
                    return SourcePosition(epoch: board.epoch, cursor: mark.cursor, text: position.text)
                }
            })
    }

    /// Ends the run: a waiting read or a wait ends at once, a batch in hand is finished.
    public func stop() {
        self.stopSignal.stop()
    }

    /// Delivers batches until told to stop; cancelling the task is the same as `stop`.
    ///
    /// Throws `RedisError` where trying again cannot help, and what `deliver` throws.
    public func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        defer { self.updateAll { $0.status.state = .stopped } }
        if self.stopSignal.isStopped { return }
        let loop = RedisEventLoop()
        let directory = ServerDirectory(self.settings)
        // Ends the look at the sentinels with the reading.
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
        // Off the loop's thread again, which could not wait for its own end.
        await loop.shutDown()
        if let failure {
            if let error = failure as? RedisError { self.updateAll { $0.status.lastError = error.message } }
            throw failure
        }
    }

    /// Reads a group's entries together with its other workers.
    private func runShared(
        _ group: GroupSettings, _ directory: ServerDirectory, _ loop: RedisEventLoop,
        _ deliver: (EventBatch) async throws -> Void
    ) async throws {
        let lease = ConsumerLease.take(
            group, scope: "\(self.settings.database) \(self.stream)", address: self.settings.address)
        if let warning = lease.warning(group) {
            self.logger.warning("\(warning)", metadata: ["group": "\(group.name)", "consumer": "\(lease.consumer)"])
        }
        let reader = GroupReader(
            settings: self.settings, directory: directory, streamSettings: self.streamSettings, group: group,
            consumer: lease.consumer, loop: loop, stop: self.stopSignal, logger: self.logger, arrivals: self.arrivals,
            update: { change in self.update(0, change) })
        // The name is this worker's until it has left.
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

    /// Reads all streams until told to stop, or until one of them cannot be read.
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
                        // One that cannot be read ends them all: what it should have told would be missing.
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

    /// The reader of one of the streams, made on the thread that it runs on.
    private func reader(
        _ index: Int, _ directory: ServerDirectory, _ loop: RedisEventLoop, _ load: @escaping () throws -> String?
    ) -> StreamReader {
        var streamSettings = self.streamSettings
        streamSettings.stream = self.streams[index]
        return StreamReader(
            StreamReader.Parts(
                settings: self.settings, directory: directory, streamSettings: streamSettings, index: index,
                stores: self.stores, checkpoint: self.checkpoint, loadPosition: load, loop: loop, stop: self.stopSignal,
                logger: self.logger, arrivals: self.arrivals),
            update: { change in self.update(index, change) })
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
        let lasts = setup.stores.contains { $0.value is any RemoteSnapshotStore }
        if lasts, streamSettings.group == nil, streamSettings.start == .tail, streamSettings.bootstrap == .none {
            setup.warnings.add(
                "redis_stream: start is tail, and a store outlives the worker: what is added while no worker runs never "
                    + "gets there; set start to resume with a checkpoint, or bootstrap to stream", at: setup.mark)
        }
        streamSettings.checkStaleness(setup)
        let redis = setup.section("redis", RedisSettings.type)
        if case .keys = streamSettings.bootstrap, redis?.cluster != nil {
            setup.issues.add(
                "redis_stream: bootstrap: keys are read from one server: in a cluster, choose none or stream",
                at: setup.mark)
        }
        return redis.map {
            RedisStreamSource(
                $0, streamSettings, stores: setup.stores.sorted { $0.key < $1.key }.map(\.value),
                checkpoint: setup.checkpoint, handler: setup.revocationHandler, logger: setup.logger)
        }
    }
}

extension RedisStreamSettings {
    /// Warns of stores that answer lookups for ever.
    fileprivate func checkStaleness(_ setup: ComponentSetup) {
        guard self.group == nil, self.stalenessLimit == .off else { return }
        for name in setup.stores.keys.sorted() {
            setup.warnings.add(
                "stores: \"\(name)\" answers lookups for ever with max_staleness: off: once the stream's server is lost, a "
                    + "session that was revoked since is still active", at: setup.mark)
        }
    }

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
