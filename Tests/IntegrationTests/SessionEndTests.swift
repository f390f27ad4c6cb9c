import ComponentKit
import PipelineEngine
import RESP
import RedisClient
import SnapshotStores
import StageKit
import StageTestKit
import Synchronization
import Testing
import Worker

/// Everything that ends a session reaches those who follow revocations.
@Suite(.timeLimit(.minutes(5))) struct SessionEndTests {
    /// What a revocation may look like that is not as it should be: the fields after the key, and the reason.
    private static let imperfect: [(fields: [(String, String)], reason: String)] = [
        ([("user_id", "u"), ("client_public_key", "k"), ("status", "revoked"), ("why", "stolen")], "malformed_event"),
        ([("user_id", "u"), ("client_public_key", "k"), ("status", "REVOKED")], "invalid_event"),
        (
            [("user_id", "u"), ("client_public_key", "k"), ("status", "revoked"), ("revoked_at_ms", "soon")],
            "malformed_event"
        ),
        (
            [("user_id", "u"), ("client_public_key", String(repeating: "k", count: 70_000)), ("status", "revoked")],
            "store_failure"
        ),
        ([("user_id", "u")], "malformed_event"),
    ]

    private static let stores = [
        "{ memory: { key: device_session_id } }", "{ redis: { key: device_session_id } }",
    ]

    private func good(_ key: String, _ status: String = "active") -> [(String, String)] {
        [("device_session_id", key), ("user_id", "u"), ("client_public_key", "k"), ("status", status)]
    }

    private func run(
        _ server: RedisServer, store: String, others: [String] = [], handler: any RevocationHandler,
        _ body: (Pipeline) async throws -> Void
    ) async throws {
        let overrides =
            ["stores.sessions=\(store)", "source.redis_stream.start=beginning", "redis.timeout=20s"] + others
        let pipeline = try Pipeline(
            contentsOf: ReferenceTests.pipelineFile,
            environment: ["REDIS_ADDRESS": "\(server.address)", "SLUICE_LISTEN": "off"],
            overrides: overrides.compactMap { Override($0) }, catalogue: .standard,
            services: PipelineServices(logger: quiet, revocationHandler: handler))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pipeline.run() }
            let result: Result<Void, any Error>
            do { result = .success(try await body(pipeline)) } catch { result = .failure(error) }
            pipeline.source.stop()
            try await group.waitForAll()
            try result.get()
        }
    }

    @Test(
        "Each eviction is announced with its reason, for held and unknown keys and when read again",
        arguments: Self.stores, [false, true])
    func evictions(store: String, lanes: Bool) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                // A key that is held, then one that is not, for each; the last entry is a perfect revocation.
                var entries: [[(String, String)]] = []
                var expected: [RecordingRevocationHandler.Call] = []
                for (index, one) in Self.imperfect.enumerated() {
                    let key = "held-\(index)"
                    entries.append(self.good(key))
                    for key in [key, "unknown-\(index)"] {
                        entries.append([("device_session_id", key)] + one.fields)
                        let id = EntryID(milliseconds: UInt64(entries.count), sequence: 0)
                        expected.append(.evicted(key, id, reason: one.reason))
                    }
                }
                entries.append(self.good("last", "revoked"))
                let last = EntryID(milliseconds: UInt64(entries.count), sequence: 0)
                try await connection.addAll(SessionPipeline.stream, entries)
                let others = lanes ? ["lanes={ count: 3, key: device_session_id }"] : []
                for _ in 1...2 {
                    let handler = RecordingRevocationHandler()
                    let count = entries.count
                    try await self.run(server, store: store, others: others, handler: handler) { pipeline in
                        try await pipeline.untilDone(count)
                    }
                    let calls = handler.calls.filter { $0 != .endBatch }
                    func order(_ call: RecordingRevocationHandler.Call) -> String { "\(call)" }
                    let evictions = calls.filter { if case .evicted = $0 { true } else { false } }
                    #expect(evictions.sorted { order($0) < order($1) } == expected.sorted { order($0) < order($1) })
                    if !lanes { #expect(evictions == expected) }
                    #expect(calls.count { $0 == .revoke("last", last) } == 1)
                    // Handed over before the cursor moved past the batch.
                    #expect(handler.calls.last == .endBatch)
                }
            }
        }
    }

    @Test("An eviction is published after the store's change, in the order of the entries, among revocations")
    func published() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let file = """
                    pipeline: p
                    redis: { address: "\(server.address)", timeout: 20s }
                    source: { redis_stream: { stream: s, start: beginning } }
                    stores: { a: { redis: { key: id } } }
                    stages:
                      - decode: { event: e, fields: { id: { required: true }, status: { required: true } } }
                        on_failure: out
                      - upsert: { store: a }
                      - revoke: { key: id }
                        when: { status: revoked }
                    branches: { out: [{ evict: { store: a, key: id } }] }
                    revocations: { publish: { stream: ends } }
                    """
                try await connection.addAll(
                    "s", [[("id", "x"), ("status", "active")], [("id", "x")], [("id", "y"), ("status", "revoked")]])
                try await withPipeline(file) { try await $0.untilDone(3) }
                let ends = try await connection.entries("ends")
                #expect(
                    Set(ends) == [
                        ["key", "x", "entry", "2-0", "kind", "eviction", "reason", "malformed_event"],
                        ["key", "y", "entry", "3-0"],
                    ])
                let fields = try await connection.command(RESPCommand("HGETALL", "a:x")).array?.compactMap(\.string)
                #expect(fields == ["_evicted", "2-0"])
            }
        }
    }

    @Test(
        "A gap that empties a store is announced as a reset, and so is the removal at the end of a resync",
        arguments: [
            (Self.stores[0], "fail_closed", "trimmed"), (Self.stores[0], "resync", "resync"),
            (Self.stores[1], "fail_closed", "trimmed"), (Self.stores[1], "resync", "trimmed"),
        ])
    func resets(store: String, onGap: String, reason: String) async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for index in 1...4 { try await connection.addSession("old-\(index)", id: "\(index)-0") }
                let held = Mutex<(any SnapshotStore)?>(nil)
                let handler = ResetWatcher {
                    // What the store holds of before at the moment of the reset.
                    if let memory = held.withLock({ $0 }) as? MemoryStore {
                        return memory.snapshot(for: "old-1") == nil
                    }
                    return try await connection.command(RESPCommand("EXISTS", "sessions:old-1")).integer == 0
                }
                let others = ["source.redis_stream.on_gap=\(onGap)"]
                try await self.run(server, store: store, others: others, handler: handler) { pipeline in
                    held.withLock { $0 = pipeline.stores["sessions"] }
                    try await pipeline.untilDone(4)
                    let commands = [
                        RESPCommand("MULTI"), RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"),
                        self.add("new-1", id: "5-0"), self.add("new-2", id: "6-0"),
                        RESPCommand("XTRIM", SessionPipeline.stream, "MAXLEN", 1), RESPCommand("EXEC"),
                    ]
                    for reply in connection.submit(commands) { _ = try await reply.reply() }
                    try await eventually("announced") { !handler.resets.isEmpty }
                    try await eventually("filled again") {
                        pipeline.source.status.cursor == EntryID(milliseconds: 6, sequence: 0)
                            && pipeline.source.status.isCaughtUp
                    }
                }
                #expect(handler.resets == [StoreReset(store: "sessions", reason: reason)])
                #expect(handler.foundOld == 0)
            }
        }
    }

    private func add(_ session: String, id: String) -> RESPCommand {
        RESPCommand(
            "XADD", SessionPipeline.stream, id, "device_session_id", session, "user_id", "u", "client_public_key", "k",
            "status", "active")
    }
}

/// Records resets, and whether the store had changed by then.
private final class ResetWatcher: RevocationHandler {
    private let state = Mutex((resets: [StoreReset](), foundOld: 0))
    private let isGone: @Sendable () async throws -> Bool

    init(_ isGone: @escaping @Sendable () async throws -> Bool) {
        self.isGone = isGone
    }

    var resets: [StoreReset] { self.state.withLock { $0.resets } }
    var foundOld: Int { self.state.withLock { $0.foundOld } }

    func revoke(_ event: borrowing Event, key: FieldID) {}

    func reset(_ reset: StoreReset) async throws {
        let isGone = try await self.isGone()
        self.state.withLock { state in
            state.resets.append(reset)
            if !isGone { state.foundOld += 1 }
        }
    }
}
