import ComponentKit
import Logging
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing

/// Consumers of workers that no longer exist, and ids at the end of their range.
@Suite struct GroupUpkeepTests {
    private func withServer(
        _ users: [String] = [], _ body: (RedisServer, RedisConnection) async throws -> Void
    ) async throws {
        try await withRedisServer(RedisServer.Options(users: users)) { server in
            try await withConnection(server.settings) { try await body(server, $0) }
        }
    }

    @Test(
        "Idle consumers with nothing pending are removed, with a script and without; others stay",
        arguments: ["+@all", "+@all -@scripting"])
    func removed(rights: String) async throws {
        try await self.withServer(["user default on nopass ~* &* +@all", "user u on >p ~* &* \(rights)"]) {
            server, connection in
            try await connection.addNumbered(1...2)
            try await connection.makeGroup()
            for name in ["dead-1", "dead-2", "w"] {
                _ = try await connection.command(
                    RESPCommand("XGROUP", "CREATECONSUMER", GroupWorker.stream, GroupWorker.group, name))
            }
            try await connection.takeAndDie("holder", 1)
            // Long enough that nobody claims, and short enough to wait for the limit of four times this.
            let worker = GroupWorker(
                server, "w", claimAfter: .milliseconds(1500), removeAfter: .zero, user: "u",
                work: { delivery in
                    // In flight: never removed, however long.
                    if delivery.id == numbered(2...2)[0] { try await Task.sleep(for: .milliseconds(100)) }
                })
            try await worker.run {
                try await eventually("removed") {
                    try await connection.consumers().allSatisfy { !$0.hasPrefix("dead") }
                }
                try await eventually("counted") { worker.status?.consumersRemoved ?? 0 >= 2 }
                #expect(try await connection.consumers().contains("w"))
                try await eventually("claimed from the holder") { worker.ids.contains(numbered(1...1)[0]) }
            }
            #expect(worker.ids.sorted() == numbered(1...2))
        }
    }

    @Test("A consumer with a pending entry stays, and so does every one if nothing is to be removed")
    func kept() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...1)
            try await connection.makeGroup()
            try await connection.takeAndDie("holder", 1)
            _ = try await connection.command(
                RESPCommand("XGROUP", "CREATECONSUMER", GroupWorker.stream, GroupWorker.group, "dead"))
            // Its limit is four times claim_after, far beyond this test: the holder is never claimed from, nor removed.
            let worker = GroupWorker(server, "w", claimAfter: .milliseconds(500), removeAfter: nil)
            try await worker.run {
                try await eventually("claimed") { worker.ids.count == 1 }
                try await Task.sleep(for: .milliseconds(2500))
                #expect(try await connection.consumers() == ["dead", "holder", "w"])
            }
        }
    }

    @Test("Entries up to the greatest id are read, claimed, finished and handed back")
    func greatestID() async throws {
        let greatest = "18446744073709551615-18446744073709551615"
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...1)
            try await connection.add(GroupWorker.stream, "last", id: greatest)
            try await connection.makeGroup()
            try await connection.takeAndDie("w", 2)
            // Its own backlog ends at the greatest id.
            struct Crash: Error {}
            let failing = GroupWorker(server, "w") { if $0.id == .max { throw Crash() } }
            await #expect(throws: Crash.self) { try await failing.runToEnd() }
            #expect(try await connection.pendingEntries().last == "\(greatest) w")
            // Another one claims it, and hands it back when it is stopped before it is done.
            let isStopped = OrderedMutex(false)
            let slow = GroupWorker(server, "slow", claimAfter: .milliseconds(500)) { _ in
                while !isStopped.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
                throw Crash()
            }
            await #expect(throws: Crash.self) {
                try await slow.run {
                    try await eventually("claimed") { slow.ids.contains(.max) || !slow.ids.isEmpty }
                    isStopped.withLock { $0 = true }
                    try await eventually("ended") { slow.source.status.state == .stopped }
                }
            }
            let last = GroupWorker(server, "last", claimAfter: .milliseconds(500))
            try await last.run {
                try await eventually("done") {
                    try await connection.pendingEntries().isEmpty && last.source.status.isCaughtUp
                }
            }
            #expect(last.ids.contains(.max))
        }
    }

    @Test("A worker that is stopped with the greatest id in its backlog hands it back")
    func handsBackGreatest() async throws {
        let greatest = "18446744073709551615-18446744073709551615"
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...3)
            try await connection.add(GroupWorker.stream, "last", id: greatest)
            let isStopped = OrderedMutex(false)
            let worker = GroupWorker(server, "w", count: 1) { _ in
                while !isStopped.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
            }
            try await worker.run {
                try await eventually("in flight") { !worker.ids.isEmpty }
                try await connection.makePending(greatest, for: "w")
                worker.source.stop()
                isStopped.withLock { $0 = true }
            }
            let pending = try await connection.pendingEntries()
            #expect(pending.last == "\(greatest) w")
            #expect(try await connection.pendingIdle(greatest) ?? 0 >= 86_000_000)
        }
    }
}

extension RedisConnection {
    /// Makes an entry pending for a consumer, as if it had been delivered.
    fileprivate func makePending(_ id: String, for consumer: String) async throws {
        _ = try await self.command(
            RESPCommand("XCLAIM", GroupWorker.stream, GroupWorker.group, consumer, 0, id, "FORCE", "JUSTID"))
    }
}
