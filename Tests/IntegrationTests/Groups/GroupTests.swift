import ComponentKit
import Foundation
import Logging
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing

@Suite struct GroupTests {
    /// A server with a connection of the test's own.
    private func withServer(
        _ options: RedisServer.Options = RedisServer.Options(),
        _ body: (RedisServer, RedisConnection) async throws -> Void
    ) async throws {
        try await withRedisServer(options) { server in
            try await withConnection(server.settings) { try await body(server, $0) }
        }
    }

    /// Waits until nothing is pending.
    private func settled(_ connection: RedisConnection) async throws {
        try await eventually("nothing is pending") { try await connection.pendingEntries().isEmpty }
    }

    @Test("Two workers share a stream: each entry goes to one of them, and none is pending or duplicated at the end")
    func shared() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...100)
            let (one, two) = (GroupWorker(server, "one"), GroupWorker(server, "two"))
            try await one.run {
                try await two.run {
                    try await connection.addNumbered(101...400)
                    try await eventually("all delivered") { one.ids.count + two.ids.count >= 400 }
                    try await self.settled(connection)
                    #expect(one.status?.consumer == "one")
                    try await eventually("nothing is behind") { one.source.status.lagEntries == 0 }
                }
            }
            #expect((one.ids + two.ids).sorted() == numbered(1...400))
            #expect((one.deliveries + two.deliveries).allSatisfy { $0.deliveries == 1 })
            // A clean stop with nothing pending takes the workers out of the group.
            #expect(try await connection.consumers().isEmpty)
        }
    }

    @Test("A new group begins at start once; a later worker continues at the position of the group")
    func start() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...5)
            let first = GroupWorker(server, "w", start: .tail)
            try await first.run {
                try await eventually("reading") { first.source.status.state == .reading }
                try await connection.addNumbered(6...8)
                try await eventually("delivered") { first.ids == numbered(6...8) }
            }
            try await connection.addNumbered(9...10)
            let second = GroupWorker(server, "w", start: .beginning)
            try await second.run { try await eventually("delivered") { second.ids == numbered(9...10) } }
        }
    }

    @Test("A worker's pending entries come first after a restart, with the server's count")
    func backlog() async throws {
        struct Crash: Error {}
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...30)
            let failing = GroupWorker(server, "w") { if $0.id == numbered(15...15)[0] { throw Crash() } }
            await #expect(throws: Crash.self) { try await failing.runToEnd() }
            // The batch before is confirmed; that of the failure is not, nor one that was read ahead.
            let pending = try await connection.pendingEntries()
            #expect(pending.first == "11-0 w")
            let back = GroupWorker(server, "w")
            try await back.run {
                try await eventually("all delivered") { back.ids == numbered(11...30) }
                try await self.settled(connection)
            }
            #expect(back.deliveries.prefix(10).allSatisfy { $0.deliveries == 2 })
            #expect(back.deliveries.last?.deliveries == 1 || pending.count == 20)
            #expect(back.status?.redelivered == pending.count && back.status?.claimed == 0)
        }
    }

    @Test("Entries of a dead worker are claimed when they have been idle for long enough")
    func takenOver() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...25)
            try await connection.makeGroup()
            try await connection.takeAndDie("dead", 25)
            let worker = GroupWorker(server, "w", claimAfter: .milliseconds(500))
            try await worker.run {
                try await eventually("taken over") { worker.ids.count == 25 }
                try await self.settled(connection)
                #expect(worker.status?.claimed == 25 && worker.status?.redelivered == 25)
            }
            #expect(worker.ids == numbered(1...25) && worker.deliveries.allSatisfy { $0.deliveries == 2 })
        }
    }

    /// Far longer than a busy machine keeps a worker from giving a sign of life, which is due four times in it.
    private static let claimAfter = Duration.seconds(10)

    @Test("Entries that are being processed are never claimed, however long it takes")
    func inProgress() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...3)
            let isDone = OrderedMutex(false)
            let slow = GroupWorker(server, "slow", claimAfter: Self.claimAfter) { _ in
                while !isDone.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
            }
            let idle = GroupWorker(server, "idle", claimAfter: Self.claimAfter)
            try await slow.run {
                try await eventually("in hand") { !slow.ids.isEmpty }
                try await idle.run {
                    // A sign of life comes four times in claim_after: with the fifth, it is over once.
                    var (signs, last) = (0, Int64.zero)
                    try await eventually("signs of life") {
                        let age = try await connection.pendingIdle("1-0") ?? 0
                        if age < last { signs += 1 }
                        last = age
                        return signs == 5 || !idle.ids.isEmpty
                    }
                    isDone.withLock { $0 = true }
                    try await eventually("all worked off") { slow.ids.count == 3 }
                    try await self.settled(connection)
                }
            }
            #expect(idle.ids.isEmpty && slow.deliveries.allSatisfy { $0.deliveries == 1 })
        }
    }

    @Test("A stopped worker finishes its batch and hands back the rest, which others claim immediately")
    func handedBack() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...60)
            let stopping = OrderedMutex(false)
            let slow = GroupWorker(server, "slow", count: 20) { _ in
                while !stopping.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
            }
            try await slow.run {
                try await eventually("in hand") { !slow.ids.isEmpty }
                slow.source.stop()
                stopping.withLock { $0 = true }
            }
            #expect(slow.ids == numbered(1...20))
            // What was read ahead is still under its name, and claim_after is long.
            let pending = try await connection.pendingEntries()
            #expect(pending.isEmpty || pending.count == 20)
            #expect(try await connection.consumers() == (pending.isEmpty ? [] : ["slow"]))
            let other = GroupWorker(server, "other")
            try await other.run {
                try await eventually("all worked off") { other.ids.count == 40 }
                try await self.settled(connection)
            }
            #expect(other.ids.sorted() == numbered(21...60))
        }
    }

    @Test("A batch that a worker gives up at a stop is handed back and not counted as delivered")
    func givenUp() async throws {
        struct GivenUp: Error {}
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...5)
            let stopping = OrderedMutex(false)
            let worker = GroupWorker(server, "w") { _ in
                while !stopping.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
                throw GivenUp()
            }
            await #expect(throws: GivenUp.self) {
                try await worker.run {
                    try await eventually("in hand") { !worker.ids.isEmpty }
                    worker.source.stop()
                    stopping.withLock { $0 = true }
                }
            }
            let other = GroupWorker(server, "other")
            try await other.run {
                try await eventually("all worked off") { other.ids == numbered(1...5) }
                try await self.settled(connection)
            }
            #expect(other.deliveries.allSatisfy { $0.deliveries == 1 })
        }
    }

    @Test("A blocked read ends immediately when the worker is stopped, and the server forgets the worker")
    func stopsAtOnce() async throws {
        try await self.withServer { server, connection in
            // The block is longer than any test may take: only the stop can end it.
            let worker = GroupWorker(server, "w", block: .seconds(86_400))
            try await worker.run {
                try await eventually("a blocked read") {
                    let clients = try await connection.command(RESPCommand("CLIENT", "LIST")).string ?? ""
                    return clients.split(separator: "\n").contains {
                        $0.contains("cmd=xreadgroup") && $0.contains("flags=b")
                    }
                }
            }
            #expect(try await connection.consumers().isEmpty)
        }
    }

    @Test("Entries deleted while pending are reported and do not remain pending")
    func deleted() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...6)
            try await connection.makeGroup()
            try await connection.takeAndDie("w", 3)
            try await connection.takeAndDie("dead", 3)
            _ = try await connection.command(RESPCommand("XDEL", GroupWorker.stream, "2-0", "5-0"))
            let worker = GroupWorker(server, "w", claimAfter: .milliseconds(500))
            try await worker.run {
                try await eventually("the rest") { worker.ids.count == 4 }
                try await self.settled(connection)
                // The server forgets them when it is asked, before the worker has counted its answer.
                try await eventually("counted") {
                    worker.status?.deleted == 2 && worker.source.status.gaps == ["entries_deleted": 2]
                }
            }
            #expect(worker.ids == [1, 3, 4, 6].map { numbered($0...$0)[0] })
        }
    }

    @Test("An entry delivered too often is refused, and its neighbours are not")
    func refused() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...5)
            try await connection.makeGroup()
            struct Crash: Error {}
            var taken: [GroupWorker.Delivery] = []
            for _ in 0..<8 {
                let worker = GroupWorker(server, "w", maxDeliveries: 4) {
                    if $0.id == numbered(3...3)[0], !$0.isRefused { throw Crash() }
                }
                if (try? await worker.run({
                    try await eventually("done or dead") {
                        let isEmpty = try await connection.pendingEntries().isEmpty
                        return worker.source.status.state == .stopped || (isEmpty && worker.source.status.isCaughtUp)
                    }
                })) != nil {
                    taken += worker.deliveries
                    break
                }
                taken += worker.deliveries
            }
            let refused = taken.filter(\.isRefused)
            #expect(refused.map(\.id) == numbered(3...3) && refused.first?.deliveries == 5)
            #expect(taken.filter { $0.id == numbered(3...3)[0] }.map(\.deliveries) == [1, 2, 3, 4, 5])
            #expect(try await connection.pendingEntries().isEmpty)
            #expect(Set(taken.map(\.id)) == Set(numbered(1...5)))
        }
    }

    @Test("A deleted group continues where it was, with the pending entries of dead workers, and this is reported")
    func groupGone() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...20)
            try await connection.makeGroup()
            try await connection.takeAndDie("dead", 5)
            // So long that no time that passes here makes the worker claim: the test makes the entries old itself.
            let worker = GroupWorker(server, "w", claimAfter: .seconds(3600))
            try await worker.run {
                try await eventually("delivered") { worker.ids.count == 15 }
                try await eventually("seen") { worker.status?.pending == 5 }
                _ = try await connection.command(
                    RESPCommand("XGROUP", "DESTROY", GroupWorker.stream, GroupWorker.group))
                try await eventually("made again") { worker.source.status.gaps == ["group_lost": 1] }
                let dead = numbered(1...5).map(\.description)
                try await eventually("restored") { try await connection.pendingEntries() == dead.map { "\($0) dead" } }
                let claim = ["XCLAIM", GroupWorker.stream, GroupWorker.group, "dead", "0"] + dead
                _ = try await connection.command(
                    RESPCommand(
                        claim[0], arguments: (claim.dropFirst() + ["IDLE", "7200000", "JUSTID"]).map { Array($0.utf8) })
                )
                try await connection.addNumbered(21...30)
                try await eventually("all delivered") { worker.ids.count == 30 }
                try await self.settled(connection)
            }
            #expect(worker.ids.sorted() == numbered(1...30))
        }
    }

    @Test("A deleted stream starts again, and its entries are read")
    func streamGone() async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1000...1009)
            let worker = GroupWorker(server, "w")
            try await worker.run {
                try await eventually("delivered") { worker.ids.count == 10 }
                try await self.settled(connection)
                _ = try await connection.command(RESPCommand("DEL", GroupWorker.stream))
                try await eventually("told") { worker.source.status.gaps["deleted"] == 1 }
                try await connection.addNumbered(1...5)
                try await eventually("all delivered") { worker.ids.count == 15 }
            }
            #expect(worker.ids.suffix(5) == numbered(1...5)[...])
        }
    }

    @Test(
        "With on_gap: halt a worker ends with its error even if it is stopped at that moment",
        arguments: [false, true])
    func halt(isStopped: Bool) async throws {
        try await self.withServer { server, connection in
            try await connection.addNumbered(1...10)
            let stop = OrderedMutex<@Sendable () -> Void>({})
            let alarm = Logger(label: "test") { _ in ErrorAlarm { stop.withLock { $0 }() } }
            let worker = GroupWorker(server, "w", onGap: .halt, logger: alarm)
            if isStopped { stop.withLock { $0 = { worker.source.stop() } } }
            let error = await #expect(throws: RedisError.self) {
                async let end: Void = worker.runToEnd()
                try await eventually("delivered") { worker.ids.count == 10 }
                try await self.settled(connection)
                _ = try await connection.command(RESPCommand("DEL", GroupWorker.stream))
                try await end
            }
            #expect(error?.code == .gap)
            #expect(worker.source.status.gaps == ["deleted": 1])
        }
    }

    @Test("Repeated disconnects lose no acknowledgement and no entry")
    func cut() async throws {
        try await self.withServer { server, connection in
            let worker = GroupWorker(server, "w", count: 50)
            try await worker.run {
                for round in 0..<20 {
                    try await connection.addNumbered((round * 50 + 1)...(round * 50 + 50))
                    _ = try await connection.command(
                        RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                }
                try await eventually("all delivered") { Set(worker.ids).count == 1000 }
                try await self.settled(connection)
                #expect(worker.source.status.gaps.isEmpty)
            }
            #expect(Set(worker.ids) == Set(numbered(1...1000)))
        }
    }

    @Test("A user can lack the permission to query, or to end a read; a missing XACK is reported")
    func rights() async throws {
        var options = RedisServer.Options()
        options.users = [
            "user default on nopass ~* &* +@all", "user blind on >p ~* +@all -xinfo -client",
            "user mute on >p ~* +@all -xack",
        ]
        try await self.withServer(options) { server, connection in
            try await connection.addNumbered(1...20)
            let blind = GroupWorker(server, "blind", user: "blind")
            try await blind.run {
                try await eventually("delivered") { blind.ids == numbered(1...20) }
                try await self.settled(connection)
            }
            try await connection.addNumbered(21...22)
            let mute = GroupWorker(server, "mute", user: "mute")
            let error = await #expect(throws: RedisError.self) { try await mute.runToEnd() }
            #expect(error?.code == .permission && error?.message.contains("XACK") == true)
        }
    }
}
