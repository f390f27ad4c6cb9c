import ComponentKit
import HTTPBase
import Logging
import ServiceLifecycle
import StageKit
import Synchronization

@testable import Admin

/// A server that runs while a test looks at it.
enum AdminFixture {
    /// Logs nowhere.
    static let silent = Logger(label: "admin") { _ in SwiftLogNoOpLogHandler() }

    /// A context with these stores, ready and alive unless told otherwise.
    static func context(
        stores: [FixedStore] = [], registry: MetricsRegistry = MetricsRegistry(), notReady: [String] = [],
        notAlive: [String] = [], stale: String? = nil
    ) -> AdminContext {
        AdminContext(
            stores: Dictionary(uniqueKeysWithValues: stores.map { ($0.name, $0) }), metrics: registry,
            readiness: { notReady }, liveness: { notAlive }, staleness: { _ in stale },
            pipeline: { #"{"graph":{}}"# })
    }

    /// Runs a server, calls `body` with its real address, and shuts it down.
    static func serve<R: Sendable>(
        _ context: AdminContext, listen: ListenAddress = .tcp(host: "127.0.0.1", port: 0),
        access: AdminAccess = AdminAccess(),
        _ body: (ListenAddress) async throws -> R
    ) async throws -> R {
        try await self.serve(context, settings: AdminSettings(listen: listen), access: access, body)
    }

    /// Runs a server with these settings.
    static func serve<R: Sendable>(
        _ context: AdminContext, settings: AdminSettings, access: AdminAccess = AdminAccess(),
        _ body: (ListenAddress) async throws -> R
    ) async throws -> R {
        let (addresses, continuation) = AsyncStream.makeStream(of: ListenAddress.self)
        let server = AdminServer(
            settings: settings, access: access, context: context, logger: self.silent
        ) { continuation.yield($0) }
        let services = ServiceGroup(configuration: ServiceGroupConfiguration(services: [server], logger: self.silent))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { continuation.finish() }
                try await services.run()
            }
            var iterator = addresses.makeAsyncIterator()
            guard let address = await iterator.next() else {
                try await group.waitForAll()
                throw CancellationError()
            }
            let result = try await body(address)
            await services.triggerGracefulShutdown()
            try await group.waitForAll()
            return result
        }
    }
}

/// A store that holds what it was made with.
final class FixedStore: ConditionalStore {
    /// It does not say.
    let freshness: Freshness? = nil
    /// It is never emptied.
    let retention = StoreRetention.own
    /// The store's name.
    let name: String
    /// The field of the keys.
    let keyField = "id"
    private let snapshots: [Snapshot]
    /// Its conditions.
    let conditions: [NamedSetting<ConditionSettings>]
    /// That the field `n` is 5 or 6.
    static let numbers: [NamedSetting<ConditionSettings>] = ["five", "six"].enumerated().compactMap { index, name in
        let position = SettingPosition(line: 1, column: 1)
        let value = SettingNode(.scalar("\(index + 5)", isPlain: true), at: position)
        var issues = SettingIssues()
        return SettingType.condition.decode(
            SettingNode(.mapping([.init(key: "n", position: position, value: value)]), at: position), &issues
        )
        .map { NamedSetting(name: name, position: position, value: $0) }
    }

    /// The fields that it says stages keep.
    let keptFields: [String]
    /// Called when somebody starts to visit all snapshots.
    private let visiting: (@Sendable () -> Void)?
    private let evicted: [(key: [UInt8], entry: EntryID)]

    /// A store of these snapshots that remembers these evictions.
    init(
        _ name: String, _ snapshots: [Snapshot], conditions: [NamedSetting<ConditionSettings>] = numbers,
        kept: [String] = ["n"], evicted: [(key: [UInt8], entry: EntryID)] = [],
        visiting: (@Sendable () -> Void)? = nil
    ) {
        self.visiting = visiting
        self.name = name
        self.snapshots = snapshots
        self.conditions = conditions
        self.keptFields = kept
        self.evicted = evicted
    }

    /// A store of snapshots with keys `k0`, `k1` and so on, about `bytes` each.
    convenience init(_ name: String, count: Int, bytes: Int) {
        let padding = [UInt8](repeating: 0x78, count: bytes)
        self.init(
            name,
            (0..<count).map { index in
                Snapshot(
                    entryID: EntryID(milliseconds: 1, sequence: UInt64(index)), key: Array("k\(index)".utf8),
                    fields: [Snapshot.Field(name: "padding", bytes: padding)])
            })
    }

    /// How many it holds.
    var count: Int { self.snapshots.count }

    /// The snapshot under a key.
    func snapshot(for key: Span<UInt8>) -> Snapshot? {
        let bytes = [UInt8](copying: key)
        return self.snapshots.first { $0.key == bytes }
    }

    /// Visits all, in the order given.
    func forEachSnapshot(_ body: (Snapshot) throws -> Void) rethrows {
        self.visiting?()
        for snapshot in self.snapshots { try body(snapshot) }
    }

    /// Visits all, in the order given.
    func forEachEvictedKey(_ body: ([UInt8], EntryID) throws -> Void) rethrows {
        for eviction in self.evicted { try body(eviction.key, eviction.entry) }
    }

    /// Does nothing: what it holds is fixed.
    func removeAll() {}

    /// A writer that changes nothing.
    func makeWriter(key: FieldID, fields: [(name: String, field: FieldID)]) -> any SnapshotWriter {
        NoWriter()
    }

    private final class NoWriter: SnapshotWriter {
        func prepare(_ event: borrowing Event) {}
        func upsert(_ event: borrowing Event) throws -> StoreChange { .older }
        func evict(_ event: borrowing Event) throws -> StoreChange { .older }
    }
}
