import HTTPBase
import Synchronization

/// The state that the connections of a Redis door share.
final class RedisDoorParts: Sendable, CustomReflectable {
    /// The version in `HELLO` and `INFO`: the first with which redis-py caches.
    static let redisVersion = "7.4.0"

    /// The store.
    let store: any RedisDoorStore
    /// The store's name.
    let storeName: String
    /// The prefix of all keys.
    let prefix: [UInt8]
    /// The keys of the store's conditions, as in `SISMEMBER`.
    let conditionKeys: [[UInt8]]
    /// The channel of revocations.
    let channel: [UInt8]
    /// The version of Sluice.
    let version: String
    /// The number of open connections.
    let connections: DoorConnections
    /// The number of threads.
    let threads: Int
    private let start = ContinuousClock.now
    private let secret: Mutex<[UInt8]?>
    private let lastID = Atomic<UInt64>(0)
    private let answered = Atomic<UInt64>(0)

    /// Empty: loggers print a service's properties, and the password must not be logged.
    var customMirror: Mirror { Mirror(self, children: []) }

    /// Creates the parts of a door.
    init(
        store: any RedisDoorStore, storeName: String, prefix: String, channel: String, version: String,
        password: [UInt8]?, connections: DoorConnections, threads: Int = 1
    ) {
        self.store = store
        self.storeName = storeName
        self.prefix = Array(prefix.utf8)
        self.conditionKeys = store.conditions.map { Array("\(prefix)\($0)".utf8) }
        self.channel = Array(channel.utf8)
        self.version = version
        self.connections = connections
        self.threads = threads
        self.secret = Mutex(password)
    }

    /// The number of another connection.
    func nextID() -> UInt64 { self.lastID.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Changes whenever a thread has answered from the store.
    var answers: UInt64 { self.answered.load(ordering: .acquiring) }

    /// Notes that a thread has answered from the store.
    func noteAnswer() {
        self.answered.wrappingAdd(1, ordering: .releasing)
    }

    /// Whether clients need a password.
    var needsPassword: Bool { self.secret.withLock { $0 != nil } }

    /// Whether this is the password, compared in a time that does not depend on the first difference; `false` if there
    /// is none.
    func isPassword(_ given: [UInt8]) -> Bool {
        guard let password = self.secret.withLock({ $0 }) else { return false }
        return AccessToken.equals(given, password)
    }

    /// Replaces the password; connections that have sent the previous one stay authenticated.
    func setPassword(_ password: [UInt8]?) {
        self.secret.withLock { $0 = password }
    }

    /// Whether a key begins with the prefix.
    @inline(__always)
    func hasPrefix(_ key: Span<UInt8>) -> Bool {
        guard key.count >= self.prefix.count else { return false }
        for index in self.prefix.indices where key[index] != self.prefix[index] { return false }
        return true
    }

    /// The reply to `INFO`.
    var information: String {
        let refusal = self.store.refusal
        let state = refusal == nil ? "fresh" : refusal == .filling ? "filling" : "stale"
        return """
            # Server\r
            server_name:sluice\r
            sluice_version:\(self.version)\r
            redis_version:\(Self.redisVersion)\r
            redis_mode:standalone\r
            uptime_in_seconds:\((ContinuousClock.now - self.start).components.seconds)\r
            \r
            # Clients\r
            connected_clients:\(self.connections.count)\r
            maxclients:\(self.connections.limit)\r
            \r
            # Persistence\r
            loading:\(refusal == .filling ? 1 : 0)\r
            \r
            # Replication\r
            role:master\r
            \r
            # Sluice\r
            store:\(self.storeName)\r
            state:\(state)\r
            \r
            # Keyspace\r
            db0:keys=\(self.store.count),expires=0,avg_ttl=0\r

            """
    }
}

/// Counts of a connection since they were last read, for the metrics.
struct RedisTally: Sendable {
    /// The number of commands.
    var commands = 0
    /// The decisions, by raw value.
    var decisions = [Int](repeating: 0, count: GatewayDecision.allCases.count)
    /// Whether there are decisions.
    var hasDecisions = false
    /// The number of wrong passwords, and of commands without one.
    var unauthorized = 0
    /// Whether sessions were read, which the client may cache.
    var hasAnswered = false

    /// Sets all counts to zero, without allocating memory.
    mutating func reset() {
        self.commands = 0
        self.unauthorized = 0
        self.hasAnswered = false
        guard self.hasDecisions else { return }
        self.hasDecisions = false
        for index in self.decisions.indices { self.decisions[index] = 0 }
    }

    /// Counts a decision.
    mutating func add(_ decision: GatewayDecision) {
        self.decisions[decision.rawValue] += 1
        self.hasDecisions = true
    }
}
