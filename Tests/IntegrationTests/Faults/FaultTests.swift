import ComponentKit
import Foundation
import RESP
import RedisClient
import SnapshotStores
import StageKit
import Synchronization
import Testing

/// A fault of a worker's server, of the connection to it, or of the stream.
struct Fault: Sendable, CustomTestStringConvertible {
    /// The part that the fault affects.
    enum Part: Sendable { case server, connection, stream }

    /// The kind.
    enum Kind: Sendable {
        case killWithData
        case killWithoutData
        case olderDump
        case sleep
        case proxy(FaultProxy.Mode, milliseconds: Int)
        case clientKill(milliseconds: Int)
        case trim
        case deleteAndRecreate
        case clockBack
    }

    let testDescription: String
    let kind: Kind
    /// The gap that has to be told, nil where nothing is lost.
    var gaps: Set<String> = []

    static let all: [Fault] = [
        Fault(testDescription: "server killed, restarted with its data", kind: .killWithData),
        Fault(
            testDescription: "server killed, restarted empty, ids continue", kind: .killWithoutData,
            gaps: ["deleted", "recreated"]),
        Fault(
            testDescription: "server killed, restarted with an older dump", kind: .olderDump,
            gaps: ["went_back", "recreated"]),
        Fault(testDescription: "server does not answer for 2 s", kind: .sleep),
        Fault(testDescription: "connections cut for 1 s", kind: .proxy(.cut, milliseconds: 1000)),
        Fault(testDescription: "bytes delayed by 100 ms", kind: .proxy(.delay(100), milliseconds: 2000)),
        Fault(testDescription: "replies byte by byte", kind: .proxy(.drip, milliseconds: 2000)),
        Fault(testDescription: "black hole for 3 s", kind: .proxy(.blackHole, milliseconds: 3000)),
        Fault(testDescription: "replies cut in the middle", kind: .proxy(.cutAfter(4000), milliseconds: 1500)),
        Fault(
            testDescription: "clients killed every 50 ms",
            kind: .clientKill(milliseconds: FaultTable.isLong ? 30_000 : 2000)),
        Fault(testDescription: "trimmed past the cursor while disconnected", kind: .trim, gaps: ["trimmed"]),
        // `trimmed` where a look had seen entries that were not read when the stream went: counting misses them first.
        Fault(
            testDescription: "stream deleted and recreated", kind: .deleteAndRecreate,
            gaps: ["deleted", "recreated", "trimmed"]),
        Fault(testDescription: "producer's clock set back", kind: .clockBack),
    ]

    /// The part that the fault affects.
    var part: Part {
        switch self.kind {
        case .killWithData, .killWithoutData, .olderDump, .sleep: .server
        case .proxy, .clientKill: .connection
        case .trim, .deleteAndRecreate, .clockBack: .stream
        }
    }

    /// All faults of a part.
    static func all(of part: Part) -> [Fault] { self.all.filter { $0.part == part } }
}

/// What came of the scenarios, for the table that is printed.
enum FaultTable {
    /// The rows by fault.
    private static let rows = Mutex<[String: String]>([:])
    private static let path = ProcessInfo.processInfo.environment["SLUICE_FAULTS"]

    /// Whether everything is done in full, and the table written.
    static var isLong: Bool { self.path != nil }

    /// How the faults of a suite run: one after another for the table, which states times, otherwise side by side. In
    /// `make test`, a series would come after everything else, with the processors idle.
    static var order: any SuiteTrait {
        self.isLong ? ParallelizationTrait.serialized as any SuiteTrait : ConditionTrait.enabled(if: true)
    }

    static func add(_ fault: Fault, entries: Int, gaps: [String: Int], wrong: Int, revoked: Int, _ time: Duration) {
        let found = gaps.isEmpty ? "none" : gaps.keys.sorted().joined(separator: ", ")
        self.add(fault.testDescription, entries: entries, told: found, wrong: wrong, revoked: revoked, time)
    }

    /// A row; a fault that crashes the worker has none, as its test fails.
    static func add(_ fault: String, entries: Int, told: String, wrong: Int, revoked: Int, _ time: Duration) {
        let row = "| \(fault) | \(entries) | \(told) | \(wrong) | \(revoked) | 0 | \(time.microseconds / 1000) ms |"
        self.rows.withLock { $0[fault] = row }
    }

    /// Writes the table: the faults of `Fault.all` in their order, then the others by name.
    static func write() {
        guard let path = self.path else { return }
        let head =
            "| fault | entries | reported | lost or wrong silently | revoked served as active | crashes | recovered after |"
        let first = Fault.all.map(\.testDescription)
        self.rows.withLock { rows in
            let others = rows.keys.filter { !first.contains($0) }.sorted()
            let sorted = (first + others).compactMap { rows[$0] }
            let table = ([head, "| --- | --- | --- | --- | --- | --- | --- |"] + sorted).joined(separator: "\n")
            try? Data((table + "\n").utf8).write(to: URL(fileURLWithPath: path))
        }
    }
}

/// Counts, from any task.
final class FaultCounter: Sendable {
    private let count = Mutex(0)
    var value: Int { self.count.withLock { $0 } }
    func add() { self.count.withLock { $0 += 1 } }
}

/// The parts run side by side: a fault takes seconds in which little happens.
@Suite struct FaultTests {
    @Suite(FaultTable.order) struct ServerFaultTests {
        @Test(
            "After each fault of the server the store matches the stream, and no revoked session was served meanwhile",
            arguments: Fault.all(of: .server))
        func faults(fault: Fault) async throws { try await FaultTrial().run(fault) }
    }

    @Suite(FaultTable.order) struct ConnectionFaultTests {
        @Test(
            "After each fault of a connection the store matches the stream, and no revoked session was served meanwhile",
            arguments: Fault.all(of: .connection))
        func faults(fault: Fault) async throws { try await FaultTrial().run(fault) }
    }

    @Suite(FaultTable.order) struct StreamFaultTests {
        @Test(
            "After each fault of the stream the store matches the stream, and no revoked session was served meanwhile",
            arguments: Fault.all(of: .stream))
        func faults(fault: Fault) async throws { try await FaultTrial().run(fault) }
    }
}

/// A worker under a steady flow of entries, and a fault.
private struct FaultTrial {
    /// How long a wrong answer may be given: `max_staleness` of the worker, and what the machine needs to get round to it.
    private static let allowance = Duration.seconds(3)

    private static let source = [
        "start": "beginning", "read_block": "300ms", "read_margin": "500ms", "check_interval": "50ms",
        "max_staleness": "1s", "read_count": "16", "reconnect": "{ max_delay: 200ms }",
    ]

    /// Expects that after the fault the store matches the stream, and that no revoked session was served meanwhile.
    func run(_ fault: Fault) async throws {
        let options = RedisServer.Options(
            usesTCP: true,
            arguments: ["--enable-debug-command", "yes"]
                + (fault.isDurable ? ["--appendonly", "yes", "--appendfsync", "always"] : []))
        try await withRedisServer(options) { server in
            let proxy = try FaultProxy(to: server.address)
            defer { proxy.stop() }
            let session = try SessionPipeline(
                proxy.address, Self.source, others: ["redis.timeout": "1s", "redis.connect_timeout": "1s"])
            let flow = SessionFlow()
            let settings = server.settings
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await flow.run { settings } }
                let served = FaultCounter()
                try await session.run {
                    try await eventually("in flow") { session.status.isCaughtUp && flow.log.count > 100 }
                    let watch = Task { await self.watch(session, flow, served) }
                    defer { watch.cancel() }
                    let time = try await self.suffer(fault, server, proxy, session, flow)
                    watch.cancel()
                    let wrong = try await self.compare(session, flow, server)
                    let gaps = session.status.gaps
                    let revoked = fault.losesWrites ? 0 : served.value
                    #expect(wrong == 0 && revoked == 0)
                    #expect(gaps.isEmpty == fault.gaps.isEmpty && Set(gaps.keys).isSubset(of: fault.gaps), "\(gaps)")
                    FaultTable.add(
                        fault, entries: flow.log.count, gaps: gaps, wrong: wrong, revoked: revoked, time)
                }
                flow.stop()
                try await group.waitForAll()
            }
        }
        FaultTable.write()
    }

    /// Asks after revoked sessions all the time and counts those that are said to be active for too long.
    private func watch(_ session: SessionPipeline, _ flow: SessionFlow, _ served: FaultCounter) async {
        let isActive = session.store.condition("status", equals: "active")
        while !Task.isCancelled {
            let now = ContinuousClock.now
            for entry in flow.log.suffix(4000) where entry.isRevoked && now - entry.time > Self.allowance {
                if session.store.ask("s\(entry.session)", isActive) == .yes { served.add() }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Stops the flow, waits until the worker has all of it, and counts the sessions that are not as the stream says.
    private func compare(_ session: SessionPipeline, _ flow: SessionFlow, _ server: RedisServer) async throws -> Int {
        try await flow.pause()
        return try await withConnection(server.settings) { connection in
            var expected: [String: String] = [:]
            let answer = try await connection.command(RESPCommand("XRANGE", SessionPipeline.stream, "-", "+"))
            for entry in answer.array ?? [] {
                let parts = entry.array?.last?.array?.compactMap(\.string) ?? []
                if parts.count == 8 { expected[parts[1]] = parts[7] }
            }
            let last = answer.array?.last?.array?.first?.string.flatMap { EntryID($0) }
            try await session.caughtUp(last)
            let held = session.sessions
            // What was trimmed after it was read is held, too, as the flow says it should be.
            var log: [String: String] = [:]
            for entry in flow.log { log["s\(entry.session)"] = entry.isRevoked ? "revoked" : "active" }
            let missing = expected.count { held[$0.key] != $0.value }
            let other = held.count { expected[$0.key] == nil && log[$0.key] != $0.value }
            return missing + other
        }
    }

    /// Has the fault happen and end; returns how long it took from there until the worker was right again.
    private func suffer(
        _ fault: Fault, _ server: RedisServer, _ proxy: FaultProxy, _ session: SessionPipeline, _ flow: SessionFlow
    ) async throws -> Duration {
        switch fault.kind {
        case .killWithData, .killWithoutData:
            server.kill()
            try await server.start()
        case .olderDump:
            try await withConnection(server.settings) { _ = try await $0.command(RESPCommand("SAVE")) }
            let count = flow.log.count
            try await eventually("more than is in the dump") { flow.log.count > count + 50 }
            server.kill()
            try await server.start()
        case .sleep:
            try await withConnection(server.settings) { _ = try await $0.command(RESPCommand("DEBUG", "SLEEP", 2)) }
        case .proxy(let mode, let milliseconds):
            proxy.set(mode)
            try await Task.sleep(for: .milliseconds(milliseconds))
            proxy.set(.pass)
        case .clientKill(let milliseconds):
            try await withConnection(server.settings) { connection in
                for _ in 0..<(milliseconds / 50) {
                    _ = try await connection.command(RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
        case .trim:
            proxy.set(.cut)
            try await eventually("away") { session.status.state == .connecting }
            let count = flow.log.count
            try await eventually("more than is kept") { flow.log.count > count + 50 }
            try await withConnection(server.settings) {
                _ = try await $0.command(RESPCommand("XTRIM", SessionPipeline.stream, "MAXLEN", 10))
            }
            proxy.set(.pass)
        case .deleteAndRecreate:
            try await withConnection(server.settings) {
                _ = try await $0.command(RESPCommand("DEL", SessionPipeline.stream))
            }
        case .clockBack:
            // Redis gives ids that go on; the producer's own clock is not theirs.
            try await withConnection(server.settings) {
                let far = UInt64(Date().timeIntervalSince1970 * 1000) + 3_600_000
                _ = try await $0.addSession("far", id: "\(far)-0")
            }
        }
        let ended = ContinuousClock.now
        let count = flow.log.count
        if !fault.gaps.isEmpty { try await eventually("told: \(session.status)") { !session.status.gaps.isEmpty } }
        try await eventually("flowing again") { flow.log.count > count + 20 }
        let last = flow.log.last?.id
        try await session.caughtUp(last)
        return ContinuousClock.now - ended
    }
}

extension Fault {
    /// Whether the server keeps all it has acknowledged.
    fileprivate var isDurable: Bool { if case .killWithData = self.kind { true } else { false } }

    /// Whether the server forgets what it has acknowledged, so that what it says later is what counts.
    fileprivate var losesWrites: Bool {
        switch self.kind {
        case .killWithoutData, .olderDump, .deleteAndRecreate: true
        default: false
        }
    }
}
