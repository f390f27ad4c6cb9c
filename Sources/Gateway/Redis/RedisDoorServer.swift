package import ComponentKit
public import CoreMetrics
public import HTTPBase
public import Logging
import NIOCore
import NIOPosix
public import ServiceLifecycle
import StageKit

/// The Redis door of the gateway: clients of Redis read sessions until it is shut down.
///
/// It has threads and limits of its own, as the HTTP door. Encrypted connections are channels of SwiftNIO; the others
/// are read and written without it, on threads of their own.
public struct RedisDoorServer: Service, CustomStringConvertible {
    private let settings: RedisDoorSettings
    private let secrets: RedisDoorSecrets
    private let parts: RedisDoorParts
    private let metrics: RedisMetrics
    private let connections: DoorConnections
    private let inboxes: [RedisInbox]
    private let logger: Logger
    private let onListening: @Sendable (ListenAddress) -> Void

    /// The names that clients see.
    public struct Names: Sendable {
        /// The store's name.
        var store: String
        /// The channel of revocations.
        var channel: String
        /// The version of Sluice.
        var version: String

        /// Creates names.
        public init(store: String, channel: String, version: String) {
            self.store = store
            self.channel = channel
            self.version = version
        }
    }

    /// Creates a door that has not started.
    ///
    /// - Parameters:
    ///   - settings: The settings of the door.
    ///   - secrets: The contents of the files that the settings name.
    ///   - names: The names that clients see.
    ///   - store: The store. The caller makes `observer` the observer of its changes.
    ///   - metrics: Creates the door's counters.
    ///   - connectionLimit: The maximum number of connections.
    ///   - logger: The logger.
    ///   - onListening: Called on any thread with each actual address once clients can connect there.
    public init(
        _ settings: RedisDoorSettings, secrets: RedisDoorSecrets, names: Names, store: any RedisDoorStore,
        metrics: any MetricsFactory, connectionLimit: Int = GatewayLimits.connections, logger: Logger,
        onListening: @escaping @Sendable (ListenAddress) -> Void = { _ in }
    ) {
        let threads = ThreadPlan(settings).count
        self.settings = settings
        self.secrets = secrets
        self.connections = DoorConnections(limit: connectionLimit)
        self.parts = RedisDoorParts(
            store: store, storeName: names.store, prefix: settings.prefix(ofStore: names.store),
            channel: names.channel, version: names.version, password: secrets.password, connections: self.connections,
            threads: threads)
        self.metrics = RedisMetrics(metrics)
        self.inboxes = (0..<threads).map { _ in RedisInbox() }
        self.logger = logger
        self.onListening = onListening
    }

    /// The door's name in logs: its addresses, and nothing secret.
    public var description: String { "RedisDoorServer at \(self.settings.listen)" }

    /// The observer of the store's changes.
    package var observer: any SnapshotObserver { DoorObserver(inboxes: self.inboxes) }

    /// Sends messages to the subscribers of the channel of revocations; never waits.
    package func publish(_ messages: [[UInt8]]) {
        for inbox in self.inboxes { inbox.publish(messages) }
    }

    /// Reads the password again, and invalidates everything that clients cache; callable from any thread.
    ///
    /// If the password cannot be read, the error is logged and the previous one stays valid. Connections that have sent
    /// the previous password stay open.
    package func reload() {
        do throws(SettingIssue) {
            self.parts.setPassword(try RedisDoorSecrets.password(self.settings))
        } catch {
            self.logger.error("reload: the previous password stays valid", metadata: ["error": "\(error.message)"])
        }
        for inbox in self.inboxes { inbox.reset() }
    }

    /// Serves until shut down or cancelled; may be called once. Unix sockets are removed.
    ///
    /// - Throws: `ServerFailure` if the door cannot listen.
    public func run() async throws {
        let plan = ThreadPlan(self.settings)
        try await withThrowingTaskGroup(of: Void.self) { group in
            if !plan.open.isEmpty {
                let threads = RedisSocketThreads(
                    listeners: self.listeners(plan.open), parts: self.parts, inboxes: Array(self.inboxes[plan.sockets]),
                    metrics: self.metrics)
                group.addTask { try await threads.serve() }
            }
            if !plan.encrypted.isEmpty {
                group.addTask { try await self.serve(plan.encrypted, Array(self.inboxes[plan.eventLoops])) }
            }
            // If one kind cannot listen, the other one is cancelled, which ends it as a shutdown does.
            for try await _ in group {}
        }
    }

    /// The addresses and the threads of both kinds of connections.
    private struct ThreadPlan {
        /// The addresses without encryption.
        let open: [ListenAddress]
        /// The addresses with encryption.
        let encrypted: [ListenAddress]
        /// The threads that read and write sockets, by number.
        let sockets: Range<Int>
        /// The event loops of SwiftNIO, by number.
        let eventLoops: Range<Int>

        init(_ settings: RedisDoorSettings) {
            let isEncrypted: (ListenAddress) -> Bool = { address in
                if case .tcp = address { settings.tls != nil } else { false }
            }
            self.open = settings.listen.filter { !isEncrypted($0) }
            self.encrypted = settings.listen.filter(isEncrypted)
            self.sockets = 0..<(self.open.isEmpty ? 0 : settings.threads)
            let end = self.sockets.upperBound + (self.encrypted.isEmpty ? 0 : settings.threads)
            self.eventLoops = self.sockets.upperBound..<end
        }

        /// The number of threads.
        var count: Int { self.eventLoops.upperBound }
    }

    private func listeners(_ addresses: [ListenAddress]) -> DoorListeners {
        var chosen = self.settings.addresses
        chosen.listen = addresses
        return DoorListeners(
            addresses: chosen, door: "redis", tls: self.secrets.tls, connections: self.connections,
            logger: self.logger, onListening: self.onListening)
    }

    /// Serves the encrypted addresses.
    private func serve(_ addresses: [ListenAddress], _ inboxes: [RedisInbox]) async throws {
        let (parts, metrics) = (self.parts, self.metrics)
        try await MultiThreadedEventLoopGroup.withEventLoopGroup(numberOfThreads: inboxes.count) { group in
            let loops = try await DoorLoops(
                on: group, make: { loop, index in RedisDoorLoop.make(parts, inboxes[index], on: loop) },
                onSecond: { $0.sweep() }, onStop: { $0.stop() })
            try await self.listeners(addresses).serve(
                on: group, loops, onRefusal: { metrics.door.count(.connections) }
            ) { channel, loop in
                try channel.pipeline.syncOperations.addHandler(RedisDoorHandler(parts, loop, metrics))
            }
        }
    }
}

/// Passes the store's changes on to all threads of a door.
private struct DoorObserver: SnapshotObserver {
    let inboxes: [RedisInbox]

    func snapshotChanged(_ key: Span<UInt8>) {
        for inbox in self.inboxes { inbox.snapshotChanged(key) }
    }

    func snapshotsReset() {
        for inbox in self.inboxes { inbox.snapshotsReset() }
    }
}
