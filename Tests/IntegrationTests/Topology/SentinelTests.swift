import ComponentKit
import Foundation
import RESP
import StageKit
import Testing

@testable import RedisClient

@Suite struct SentinelTests {
    /// How often a master is killed: once among all tests, more often by `make scaleout`.
    private static var rounds: Int { ProcessInfo.processInfo.environment["SLUICE_SCALEOUT"] == nil ? 1 : 10 }

    private static let source = [
        "start": "beginning", "read_block": "300ms", "read_margin": "500ms", "check_interval": "50ms",
        "read_count": "16", "reconnect": "{ max_delay: 200ms }",
    ]

    /// A master that is deaf to what a sentinel sends to one that is none any more.
    private static let deaf = ["SLAVEOF", "REPLICAOF", "CLIENT"].flatMap { ["--rename-command", $0, ""] }

    /// The sessions that the stream on a server tells of, and its ids.
    private func told(_ settings: RedisSettings) async throws -> (sessions: [String: String], ids: Set<EntryID>) {
        try await withConnection(settings) { connection in
            let answer = try await connection.command(RESPCommand("XRANGE", SessionPipeline.stream, "-", "+"))
            var sessions: [String: String] = [:]
            var ids: Set<EntryID> = []
            for entry in answer.array ?? [] {
                let parts = entry.array?.last?.array?.compactMap(\.string) ?? []
                if parts.count == 8 { sessions[parts[1]] = parts[7] }
                if let id = entry.array?.first?.string.flatMap({ EntryID($0) }) { ids.insert(id) }
            }
            return (sessions, ids)
        }
    }

    @Test("When the master is killed under load, the worker follows the new one, and a loss is reported")
    func killed() async throws {
        for round in 0..<Self.rounds {
            try await SentinelServers.with { servers in
                let session = try SessionPipeline(
                    servers.master.address, Self.source, others: ["redis": servers.section])
                let flow = SessionFlow()
                let settings = servers.settings
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await flow.run { settings } }
                    try await session.run {
                        try await eventually("in flow") { session.status.isCaughtUp && flow.log.count > 100 }
                        let cursor = session.status.cursor ?? .zero
                        let count = flow.log.count
                        servers.master.kill()
                        try await eventually("flowing again") { flow.log.count > count + 100 }
                        flow.stop()
                        try await group.waitForAll()
                        let told = try await self.told(servers.replica.settings)
                        try await session.caughtUp(told.ids.max())
                        try await eventually("as the stream says") { session.sessions == told.sessions }
                        let lost = flow.log.filter { $0.id <= cursor && !told.ids.contains($0.id) }
                        #expect(lost.isEmpty || !session.status.gaps.isEmpty)
                        #expect(session.status.reconnects > 0, "round \(round): \(session.status)")
                    }
                }
            }
        }
    }

    @Test("A failover is detected even if the old master continues to answer as a master")
    func oldMasterAnswers() async throws {
        try await SentinelServers.with(masterArguments: Self.deaf) { servers in
            let session = try SessionPipeline(servers.master.address, Self.source, others: ["redis": servers.section])
            try await session.run {
                try await withConnection(servers.settings) { try await $0.addSession("a") }
                try await eventually("held") { session.sessions == ["a": "active"] }
                try await eventually("replicated") { try await self.told(servers.replica.settings).ids.count == 1 }
                try await self.failOver(servers)
                try await eventually("revoked on the new master") {
                    let id = try? await withConnection(servers.replica.settings) {
                        try await $0.addSession("a", "revoked")
                    }
                    return id != nil
                }
                try await eventually("the new master is read") { session.sessions == ["a": "revoked"] }
                #expect(session.status.gaps.isEmpty)
            }
        }
    }

    /// Has the sentinels make the replica the master, while the old one goes on as one.
    private func failOver(_ servers: SentinelServers) async throws {
        _ = try await servers.ask(RESPCommand("SENTINEL", "FAILOVER", SentinelServers.master))
        try await eventually("failed over") {
            let settings = servers.replica.settings
            // The sentinel closes the connections of a server whose part it changes, this one among them.
            let role = try? await withConnection(settings) { try await $0.command(RESPCommand("ROLE")) }
            return role?.array?.first?.string == "master"
        }
        try await withConnection(servers.master.settings) { connection in
            let role = try await connection.command(RESPCommand("ROLE")).array?.first?.string
            #expect(role == "master")
        }
    }

    @Test("A worker of a group detects such a failover too")
    func groupFollows() async throws {
        try await SentinelServers.with(masterArguments: Self.deaf) { servers in
            let worker = GroupWorker(servers.master, "w", redis: servers.settings)
            func add(_ id: String) async throws {
                try await withConnection(servers.settings) { connection in
                    _ = try await connection.command(RESPCommand("XADD", GroupWorker.stream, id, "f", "v"))
                }
            }
            try await worker.run {
                try await add("1-0")
                try await eventually("read") { worker.ids == [EntryID(milliseconds: 1, sequence: 0)] }
                try await eventually("replicated, the group too") {
                    try await withConnection(servers.replica.settings) { connection in
                        let groups = try await connection.command(RESPCommand("XINFO", "GROUPS", GroupWorker.stream))
                        return groups.array?.first?.array?[7].string == "1-0"
                    }
                }
                try await self.failOver(servers)
                try await eventually("added on the new master") { (try? await add("2-0")) != nil }
                try await eventually("the new master is read") {
                    worker.ids.last == EntryID(milliseconds: 2, sequence: 0)
                }
            }
        }
    }

    @Test("A server that is not a sentinel ends the worker with a reason")
    func wrong() async throws {
        try await withRedisServer(RedisServer.Options(usesTCP: true)) { server in
            var settings = server.settings
            var sentinel = SentinelSettings()
            sentinel.master = "main"
            sentinel.addresses = [server.address]
            settings.sentinel = sentinel
            let error = await #expect(throws: RedisError.self) { try await withConnection(settings) { _ in } }
            #expect(error?.isTransient == false && error?.message.contains("SENTINEL") == true, "\(error as Any)")
        }
    }
}
