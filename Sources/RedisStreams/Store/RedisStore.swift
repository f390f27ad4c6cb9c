public import ComponentKit
import Logging
import RESP
package import RedisClient
public import StageKit
import Synchronization

/// A store that keeps each snapshot in a hash on a Redis server, so that other programs can read it and several workers
/// can change it.
///
/// Each change is one call of `SnapshotScript`, which refuses changes older than the stored state. Workers that race,
/// retry or replay therefore converge on the latest state. The changes of a batch are pipelined. Connections are
/// opened at first use.
public final class RedisStore: RemoteSnapshotStore, StreamFedStore {
    /// The store's name in the file.
    public let name: String
    /// The field whose value is a snapshot's key.
    public let keyField: String
    /// The store's freshness, which the source that feeds the store updates.
    public let freshness: Freshness? = Freshness()

    /// `true`: workers with the same server and prefix change the same snapshots.
    public let isShared = true

    /// The store's server.
    package let server: RedisSettings

    let settings: RedisStoreSettings
    let prefix: [UInt8]
    let sender: CommandSender
    let reader: SnapshotReader
    private let progress: ProgressReporter
    let logger: Logger
    private let history = OrderedMutex(BatchHistory())
    let removal = Mutex(Removal())
    /// The names of the streams that feed the store, or an empty array if there is only one.
    private let streams = Mutex<[String]>([])
    /// For each stream, the newest entry that may have been missed.
    private let historyStarts = Mutex<[Int: EntryID]>([:])
    /// The state of the heartbeat, and its last problem.
    let heartbeat = Mutex((state: Heartbeat(), problem: String?.none))

    /// The state of emptying the store. Only one removal runs at a time, because a second one would delete snapshots
    /// that were written after the first.
    struct Removal {
        var isWanted = false
        var isRunning = false
        /// Whether a heartbeat is in flight, which must not arrive after the removal.
        var isBeating = false
        var waiting: [OneShot<Void>] = []
    }

    /// The next step of a caller that needs the store to be empty.
    private enum RemovalTurn {
        case nothing
        case wait(OneShot<Void>)
        case remove
    }

    /// Creates a store without opening a connection.
    init(
        name: String, _ settings: RedisStoreSettings, server: RedisSettings,
        progress: ProgressReporter = ProgressReporter(), connections: ConnectionHistory = ConnectionHistory(),
        logger: Logger
    ) {
        self.progress = progress
        self.name = name
        self.keyField = settings.key
        self.settings = settings
        self.server = server
        self.prefix = Array(settings.prefix(ofStore: name).utf8)
        let rules = CommandSender.Rules(patience: settings.patience, endsAtRefusal: false)
        self.sender = CommandSender(
            server.used(for: "store", name), rules, connections, what: "changes of the store \(name)",
            progress: progress,
            logger: logger)
        self.reader = SnapshotReader(server.used(for: "lookup", name), connections, logger: logger)
        self.logger = logger
    }

    /// Requests that all snapshots are removed before the next change; see `finishRemoval`.
    public func removeAll() {
        self.removal.withLock { $0.isWanted = true }
    }

    /// Requests a snapshot from the server; see `RemoteSnapshotStore`.
    public func lookUp(_ key: [UInt8]) async throws -> Snapshot? {
        var snapshot = try await self.reader.snapshot(under: self.prefix + key, key: key)
        if self.isFedBySeveral { snapshot?.fields.removeAll { $0.name == SnapshotScript.streamField } }
        return snapshot
    }

    /// Sets the streams that feed the store; see `StreamFedStore`.
    public func setStreams(_ names: [String]) {
        self.streams.withLock { $0 = names.count > 1 ? names : [] }
    }

    private var isFedBySeveral: Bool { self.streams.withLock { !$0.isEmpty } }

    /// Returns the name of the event's stream, or an empty string if only one stream feeds the store.
    func streamName(_ event: borrowing Event) -> String {
        let index = event.streamIndex
        return self.streams.withLock { index < $0.count ? $0[index] : "" }
    }

    /// Sets the newest entry of a stream that the store may have missed; see `StreamFedStore`.
    public func setHistoryStart(_ entry: EntryID, of stream: Int) {
        self.historyStarts.withLock { $0[stream] = entry }
    }

    /// Creates a writer for events with the key and the fields in these columns.
    public func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        RedisStoreWriter(self, key: key, fields: fields)
    }

    /// Removes all keys of the store if `removeAll` has requested it: the hashes under its prefix that carry the
    /// store's mark.
    public func finishRemoval() async throws {
        while true {
            let turn = self.removal.withLock { removal -> RemovalTurn in
                if removal.isRunning || (removal.isWanted && removal.isBeating) {
                    let shot = OneShot<Void>()
                    removal.waiting.append(shot)
                    return .wait(shot)
                }
                guard removal.isWanted else { return .nothing }
                (removal.isWanted, removal.isRunning) = (false, true)
                return .remove
            }
            switch turn {
            case .nothing: return
            case .wait(let shot): await shot.value()
            case .remove: try await self.removeKeys()
            }
        }
    }

    /// Removes all keys of the store. If this fails, the removal stays requested.
    private func removeKeys() async throws {
        var isDone = false
        defer {
            let waiting = self.removal.withLock { removal in
                removal.isRunning = false
                if !isDone { removal.isWanted = true }
                defer { removal.waiting = [] }
                return removal.waiting
            }
            for shot in waiting { shot.set(()) }
        }
        let pattern = Self.pattern(self.prefix)
        // Remove the heartbeat first, so that no consumer relies on a store that is empty or being filled.
        try await self.removeHeartbeat(self.sender)
        try await self.sender.withPrimaries { (connections) throws(RedisError) in
            var sweep = StoreSweep(progress: self.progress)
            for connection in connections { try await sweep.empty(connection, pattern) }
            self.logger.notice("emptying the store", metadata: ["store": "\(self.name)", "keys": "\(sweep.removed)"])
            if sweep.kept > 0 {
                self.logger.warning(
                    "kept hashes with the store's prefix that do not belong to the store",
                    metadata: ["store": "\(self.name)", "keys": "\(sweep.kept)"])
            }
        }
        self.heartbeat.withLock { $0 = (Heartbeat(), nil) }
        isDone = true
    }

    /// Closes the connections and ends their threads.
    public func shutDown() async {
        await self.sender.shutDown()
        await self.reader.shutDown()
    }

    /// The commands of changes and lookups, of emptying, and of the heartbeat, with sample arguments.
    ///
    /// Includes the commands inside the scripts, because the server checks the user's permission for each of them.
    var commands: (always: [RESPCommand], emptying: [RESPCommand], heartbeat: [RESPCommand]) {
        let key = self.prefix + Array("key".utf8)
        let change = SnapshotScript.command(.evict, key: key, entry: .zero, milliseconds: 1)
        func command(_ name: String, _ arguments: any RESPArgument...) -> RESPCommand {
            RESPCommand(name, arguments: [key] + arguments.map(\.respBytes))
        }
        return (
            [
                change, SnapshotScript.whole(change), command("HMGET", "f"), command("HSET", "f", "v"), command("DEL"),
                command("PEXPIRE", 1), command("HGETALL"),
            ],
            [
                RESPCommand("SCAN", arguments: ["0".respBytes, "MATCH".respBytes, Self.pattern(self.prefix)]),
                StoreSweep.command(removing: key), StoreSweep.command(removing: key, isWhole: true), command("UNLINK"),
            ],
            self.beatInterval == nil
                ? []
                : [
                    RESPCommand("TIME", arguments: []), RESPCommand("GET", arguments: [self.prefix]),
                    RESPCommand("PTTL", arguments: [self.prefix]),
                    RESPCommand("SET", arguments: [self.prefix, "v".respBytes, "PX".respBytes, 1.respBytes]),
                ]
        )
    }

    // MARK: For writers

    /// Returns the key on the server.
    func serverKey(_ key: Span<UInt8>) -> [UInt8] {
        var bytes = self.prefix
        bytes.reserveCapacity(bytes.count + key.count)
        for index in key.indices { bytes.append(key[index]) }
        return bytes
    }

    /// Returns whether the store has seen, and still remembers, all changes after the original of a replayed event.
    ///
    /// Changes that the server has since forgotten (`ttl`, `eviction_memory`) count as unknown.
    func hasSeen(_ event: borrowing Event) -> Bool {
        let (original, stream) = (event.orderID, event.streamIndex)
        if let start = self.historyStarts.withLock({ $0[stream] }), original <= start { return false }
        let memory = min(self.settings.timeToLive ?? self.settings.evictionMemory, self.settings.evictionMemory)
        let now = max(event.id.milliseconds, UInt64(clamping: WallClock.system.milliseconds))
        return now - original.milliseconds < UInt64(clamping: memory.microseconds / 1000)
    }

    /// Makes changes and returns the result of each, as if they had been made in stream order.
    ///
    /// A server that has restarted or been promoted does not know the script. If another client loads the script while
    /// a pipeline is in flight, the server refuses the first changes and makes the later ones; the refused changes are
    /// then made last. The state is still correct, because the script never applies an older change. `history` derives
    /// the outcomes from the results in the order in which the server ran the script, not in the order of the batch.
    func make(_ changes: [RedisStoreWriter.Change]) async throws -> [Result<StoreChange, RefusedChange>] {
        try await self.finishRemoval()
        self.history.withLock { history in
            for change in changes { history.ask(change.request) }
        }
        var answers = try await self.sender.ask(changes.map(\.command), waitsForMemory: false)
        let unknown = answers.indices.filter { answers[$0].error?.code == .scriptMissing }
        if unknown.isEmpty { return try await self.results(of: changes, answers, in: Array(answers.indices)) }
        let known = answers.indices.filter { answers[$0].error?.code != .scriptMissing }
        let late = try await self.sender.ask(
            unknown.map { SnapshotScript.whole(changes[$0].command) }, waitsForMemory: false)
        for (index, answer) in zip(unknown, late) { answers[index] = answer }
        return try await self.results(of: changes, answers, in: known + unknown)
    }

    /// Returns the results of changes, which the server made in the given order, and removes snapshots that became
    /// outdated because a change failed.
    private func results(
        of changes: [RedisStoreWriter.Change], _ answers: [CommandSender.Answer], in order: [Int]
    ) async throws -> [Result<StoreChange, RefusedChange>] {
        var results = [Result<StoreChange, RefusedChange>?](repeating: nil, count: changes.count)
        for index in order { results[index] = try self.result(of: changes[index], answers[index]) }
        let failed = order.filter { answers[$0].error?.code == .outOfMemory }
        if !failed.isEmpty {
            try await self.removeOutdated(failed.map { changes[$0] }, after: answers[failed[0]].error)
        }
        return results.compactMap(\.self)
    }

    /// Ends a batch in which these keys were changed.
    func endBatch(_ keys: some Sequence<[UInt8]>) {
        self.history.withLock { $0.forget(keys) }
    }

    /// Returns the result of a change from its answer.
    ///
    /// - Throws: `RedisError` if the batch must fail as a whole.
    private func result(
        of change: RedisStoreWriter.Change, _ answer: CommandSender.Answer
    ) throws(RedisError) -> Result<StoreChange, RefusedChange> {
        switch answer.result {
        case .success(let value):
            guard let result = SnapshotScript.result(value) else {
                throw .unexpectedAnswer(to: "EVALSHA", "expected the result of the script")
            }
            if let held = result.foreign {
                let refusal = StreamRefusal(store: self.name, held: held, entry: change.stream)
                return .failure(RefusedChange(StageFailure(refusal.description)))
            }
            return .success(
                self.history.withLock {
                    $0.note(result, of: change.request, mayBeRepeated: answer.mayBeRepeated)
                })
        case .failure(let error) where error.code == .outOfMemory && change.request.change == .upsert:
            return .failure(.outOfMemory(store: self.name, error))
        case .failure(let error):
            // Retries are exhausted: the server is unavailable and the result unknown.
            if error.isTransient { throw error }
            // If the server refuses the command to this user, no change can succeed. A failed eviction would keep a
            // snapshot that the stream has revoked. A key of another type causes neither problem, because lookups find
            // no snapshot there.
            let isRevocation = change.request.change == .evict && error.code != .wrongType
            if isRevocation || error.isDenied || error.code == .authentication { throw error }
            return .failure(RefusedChange(StageFailure("store \"\(self.name)\": \(error.message)")))
        }
    }

    /// Returns the SCAN pattern of all keys with a prefix.
    static func pattern(_ prefix: [UInt8]) -> [UInt8] {
        prefix.flatMap { "*?[]^-\\".utf8.contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] } + [UInt8(ascii: "*")]
    }
}

extension CommandSender.Answer {
    /// The error if the command failed, or `nil` if it was answered.
    fileprivate var error: RedisError? {
        if case .failure(let error) = self.result { error } else { nil }
    }
}

extension RedisStore {
    /// The store type `redis` of the pipeline file.
    public static let type = StoreType(
        name: "redis",
        summary: "Keeps snapshots in hashes of a Redis server, which several workers write and other programs read.",
        settings: RedisStoreSettings.type,
        keys: { settings, name in [ServerKey(.store(prefix: settings.prefix(ofStore: name)), from: "prefix")] }
    ) { settings, setup in
        let server = settings.server.map { setup.named($0) } ?? setup.redisSettings()
        return server.map {
            RedisStore(
                name: setup.name, settings, server: $0, progress: setup.progress, connections: setup.connections,
                logger: setup.logger)
        }
    }
}
