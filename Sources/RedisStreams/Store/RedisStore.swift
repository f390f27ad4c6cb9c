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
    let progress: ProgressReporter
    let logger: Logger
    let history = OrderedMutex(BatchHistory())
    let removal = Mutex(Removal())
    /// The names of the streams that feed the store, or an empty array if there is only one.
    private let streams = Mutex<[String]>([])
    /// For each stream, the newest entry that may have been missed.
    let historyStarts = Mutex<[Int: EntryID]>([:])
    /// The state of the heartbeat, and its last problem.
    let heartbeat = Mutex((state: Heartbeat(), problem: String?.none))

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
