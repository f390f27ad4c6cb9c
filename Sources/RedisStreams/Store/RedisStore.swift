import Logging
package import RESP
public import StageKit
import Synchronization

/// Snapshots on a Redis server, one hash each, for other programs to read and several workers to change at once.
///
/// Every change is one run of `SnapshotScript`, which refuses what is older than what is held: workers that race, retry or
/// replay end in the newest state. Changes are pipelined, those of a batch together. Nothing is opened before the first.
public final class RedisStore: RemoteSnapshotStore, StreamFedStore {
    /// The store's name in the file.
    public let name: String
    /// The field whose value is a snapshot's key.
    public let keyField: String
    /// How new its news is: written by the source that feeds the store.
    public let freshness: Freshness? = Freshness()

    /// Workers that name the same server and prefix change the same snapshots.
    public let isShared = true

    /// Where its server is.
    package let server: RedisSettings

    let settings: RedisStoreSettings
    let prefix: [UInt8]
    private let sender: CommandSender
    let reader: SnapshotReader
    private let progress: ProgressReporter
    let logger: Logger
    private let history = Mutex(BatchHistory())
    let removal = Mutex(Removal())
    /// The names of the streams that feed the store, if they are several.
    private let streams = Mutex<[String]>([])
    /// Up to where entries of each stream may have been missed.
    private let historyStarts = Mutex<[Int: EntryID]>([:])
    /// What is known of the heartbeat, and what went wrong with it last.
    let heartbeat = Mutex((state: Heartbeat(), problem: String?.none))

    /// How far the emptying of the store is: one goes on at a time, or one would take out what is held after the other.
    struct Removal {
        var isWanted = false
        var isRunning = false
        /// Whether a heartbeat is on its way, which must not arrive behind the removal.
        var isBeating = false
        var waiting: [OneShot<Void>] = []
    }

    /// What whoever wants the store to be empty does.
    private enum RemovalTurn {
        case nothing
        case wait(OneShot<Void>)
        case remove
    }

    /// Makes a store; it opens nothing.
    init(
        name: String, _ settings: RedisStoreSettings, server: RedisSettings,
        progress: ProgressReporter = ProgressReporter(), logger: Logger
    ) {
        self.progress = progress
        self.name = name
        self.keyField = settings.key
        self.settings = settings
        self.server = server
        self.prefix = Array(settings.prefix(ofStore: name).utf8)
        let rules = CommandSender.Rules(patience: settings.patience, endsAtRefusal: false)
        self.sender = CommandSender(
            server, rules, what: "changes of the store \(name)", progress: progress, logger: logger)
        self.reader = SnapshotReader(server, logger: logger)
        self.logger = logger
    }

    /// Has everything taken out before the next change: see `finishRemoval`.
    public func removeAll() {
        self.removal.withLock { $0.isWanted = true }
    }

    /// Asks the server for a snapshot: see `RemoteSnapshotStore`.
    public func lookUp(_ key: [UInt8]) async throws -> Snapshot? {
        var snapshot = try await self.reader.snapshot(under: self.prefix + key, key: key)
        if self.isFedBySeveral { snapshot?.fields.removeAll { $0.name == SnapshotScript.streamField } }
        return snapshot
    }

    /// Says which streams feed the store: see `StreamFedStore`.
    public func setStreams(_ names: [String]) {
        self.streams.withLock { $0 = names.count > 1 ? names : [] }
    }

    private var isFedBySeveral: Bool { self.streams.withLock { !$0.isEmpty } }

    /// The name of the stream that an event came from, if several feed the store; else empty.
    func streamName(_ event: borrowing Event) -> String {
        let index = event.streamIndex
        return self.streams.withLock { index < $0.count ? $0[index] : "" }
    }

    /// Says that the store may have missed entries of a stream up to this one: see `StreamFedStore`.
    public func setHistoryStart(_ entry: EntryID, of stream: Int) {
        self.historyStarts.withLock { $0[stream] = entry }
    }

    /// A writer for events whose key and fields stand in these columns.
    public func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        RedisStoreWriter(self, key: key, fields: fields)
    }

    /// Removes all keys of the store, if that was requested: hashes under its prefix with the store's mark.
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

    /// Removes all keys of the store; if that fails, they are still to be removed.
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
        // First, so that nobody relies on what is gone or is being filled.
        try await self.removeHeartbeat(self.sender)
        try await self.sender.withPrimaries { (connections) throws(RedisError) in
            var sweep = StoreSweep(progress: self.progress)
            for connection in connections { try await sweep.empty(connection, pattern) }
            self.logger.notice("the store is emptied", metadata: ["store": "\(self.name)", "keys": "\(sweep.removed)"])
            if sweep.kept > 0 {
                self.logger.warning(
                    "hashes with the store's prefix stay: they are not the store's own",
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

    /// What its changes and look-ups send, and what emptying does, with arguments that stand for any.
    ///
    /// The script's own commands are among them: the server looks at the user's right to each.
    package var commands: (always: [RESPCommand], emptying: [RESPCommand], heartbeat: [RESPCommand]) {
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

    /// The key on the server.
    func serverKey(_ key: Span<UInt8>) -> [UInt8] {
        var bytes = self.prefix
        bytes.reserveCapacity(bytes.count + key.count)
        for index in key.indices { bytes.append(key[index]) }
        return bytes
    }

    /// Whether everything newer than a replayed event's original has been seen, and would still be known.
    ///
    /// What the server forgets in time (`ttl`, `eviction_memory`) counts as not known from then on.
    func hasSeen(_ event: borrowing Event) -> Bool {
        let (original, stream) = (event.orderID, event.streamIndex)
        if let start = self.historyStarts.withLock({ $0[stream] }), original <= start { return false }
        let memory = min(self.settings.timeToLive ?? self.settings.evictionMemory, self.settings.evictionMemory)
        let now = max(event.id.milliseconds, UInt64(clamping: WallClock.system.milliseconds))
        return now - original.milliseconds < UInt64(clamping: memory.microseconds / 1000)
    }

    /// Makes changes and returns what the store did with each, as if they had been made in stream order.
    ///
    /// A server that has restarted, or that took over, does not know the script. If another client loads it while a
    /// pipeline is on its way, the server refuses the first changes and makes those behind them; the first ones are then
    /// made last. The script never goes back in time, so the state is right all the same. `history` derives the outcomes
    /// from the results in the order in which the server ran the script, not in that of the batch.
    func make(_ changes: [RedisStoreWriter.Change]) async throws -> [Result<StoreChange, StageFailure>] {
        try await self.finishRemoval()
        self.history.withLock { history in
            for change in changes { history.ask(change.request) }
        }
        let answers = try await self.sender.ask(changes.map(\.command))
        let refused = answers.indices.filter { answers[$0].error?.code == .scriptMissing }
        if refused.isEmpty { return try zip(changes, answers).map { try self.result(of: $0, $1) } }
        var results = [Result<StoreChange, StageFailure>?](repeating: nil, count: changes.count)
        for index in answers.indices where answers[index].error?.code != .scriptMissing {
            results[index] = try self.result(of: changes[index], answers[index])
        }
        let late = try await self.sender.ask(refused.map { SnapshotScript.whole(changes[$0].command) })
        for (index, answer) in zip(refused, late) { results[index] = try self.result(of: changes[index], answer) }
        return results.compactMap(\.self)
    }

    /// Ends a batch in which these keys were changed.
    func endBatch(_ keys: some Sequence<[UInt8]>) {
        self.history.withLock { $0.forget(keys) }
    }

    /// What an answer means for the change's event; throws where the batch is not done.
    private func result(
        of change: RedisStoreWriter.Change, _ answer: CommandSender.Answer
    ) throws(RedisError) -> Result<StoreChange, StageFailure> {
        switch answer.result {
        case .success(let value):
            guard let result = SnapshotScript.result(value) else {
                throw .unexpectedAnswer(to: "EVALSHA", "an answer of another shape")
            }
            if let held = result.foreign {
                let refusal = StreamRefusal(store: self.name, held: held, entry: change.stream)
                return .failure(StageFailure(refusal.description))
            }
            return .success(
                self.history.withLock {
                    $0.note(result, of: change.request, mayBeRepeated: answer.mayBeRepeated)
                })
        case .failure(let error):
            // Out of patience: the server is away, and what it would say is not known.
            if error.isTransient { throw error }
            // Where this user may not write, no change gets there; and what is not taken out stays although the stream has
            // revoked it. A key that holds something else can do neither harm: look-ups find no snapshot there.
            let isRevocation = change.request.change == .evict && error.code != .wrongType
            if isRevocation || error.code == .permission || error.code == .authentication { throw error }
            return .failure(StageFailure("store \"\(self.name)\": \(error.message)"))
        }
    }

    /// The pattern of all keys with a prefix, for SCAN.
    static func pattern(_ prefix: [UInt8]) -> [UInt8] {
        prefix.flatMap { "*?[]^-\\".utf8.contains($0) ? [UInt8(ascii: "\\"), $0] : [$0] } + [UInt8(ascii: "*")]
    }
}

extension CommandSender.Answer {
    /// Why there is none, nil where there is one.
    fileprivate var error: RedisError? {
        if case .failure(let error) = self.result { error } else { nil }
    }
}

extension RedisStore {
    /// The store type `redis` of the pipeline file.
    public static let type = StoreType(
        name: "redis",
        summary: "Keeps snapshots in hashes of a Redis server, for several workers to change and others to read.",
        settings: RedisStoreSettings.type
    ) { settings, setup in
        let server = settings.server ?? setup.section("redis", RedisSettings.type)
        return server.map {
            RedisStore(name: setup.name, settings, server: $0, progress: setup.progress, logger: setup.logger)
        }
    }
}
