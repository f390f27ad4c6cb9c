import ComponentKit
import RESP
import RedisClient
import RedisStreams
import StageKit
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#endif

@Suite struct RecoveryTests {
    @Test("Repeatedly killed connections lose and repeat no entry")
    func clientKill() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let (source, delivered) = (RedisStreamSource(server, start: .beginning, count: 3), Delivered())
                var added: [EntryID] = []
                try await withRunning(source, { delivered.take($0) }) {
                    for round in 1...5 {
                        for index in 1...20 { added.append(try await connection.add("s", "\(round).\(index)")) }
                        let before = source.status.reconnects
                        _ = try await connection.command(
                            RESPCommand("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))
                        try await eventually("taken up again") { source.status.reconnects > before }
                    }
                    try await eventually("all delivered") { delivered.count >= 100 }
                }
                #expect(delivered.ids == added)
                #expect(source.status.lastError != nil)
            }
        }
    }

    @Test("The source reconnects to a restarted server and keeps the cursor")
    func restart() async throws {
        try await withRedisServer { server in
            let (source, delivered) = (RedisStreamSource(server, onGap: .goOn), Delivered())
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("reading") { source.status.state == .reading }
                try await withConnection(server.settings) { try await $0.add("s", "before", id: "10-1") }
                try await eventually("delivered") { source.status.cursor == EntryID(milliseconds: 10, sequence: 1) }
                server.kill()
                try await eventually("noticed") { source.status.state == .connecting }
                #expect(!source.status.isCaughtUp)
                try await server.start()
                try await withConnection(server.settings) { connection in
                    try await connection.add("s", "at the cursor", id: "10-1")
                    try await connection.add("s", "behind it", id: "10-2")
                }
                try await eventually("delivered") { delivered.count == 2 }
            }
            #expect(delivered.texts == ["before", "behind it"])
            #expect(source.status.reconnects >= 1)
        }
    }

    @Test("A backlog too large for one reply is read in smaller ones, and nothing is lost")
    func largeReplies() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                // 3,000 fields a time: 1,500 entries have more values than a reply may.
                let script = """
                    local fields = {}
                    for i = 1, 3000 do fields[2 * i - 1], fields[2 * i] = 'a', '1' end
                    for i = 1, 1500 do redis.call('XADD', KEYS[1], i .. '-1', unpack(fields)) end
                    """
                _ = try await connection.command(RESPCommand("EVAL", script, 1, "s"), timeout: .seconds(120))
                let count = Mutex(0)
                let source = RedisStreamSource(server, start: .beginning, count: 2000)
                try await withRunning(source, { batch in count.withLock { $0 += batch.count } }) {
                    try await eventually("all delivered") { count.withLock { $0 } == 1500 }
                }
                #expect(source.status.cursor == EntryID(milliseconds: 1500, sequence: 1))
            }
        }
    }

    @Test("A blocked read that the server ends with an error is repeated")
    func unblocked() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let (source, delivered) = (RedisStreamSource(server), Delivered())
                try await withRunning(source, { delivered.take($0) }) {
                    try await eventually("ended with an error") {
                        let clients = try await connection.command(RESPCommand("CLIENT", "LIST")).string ?? ""
                        let blocked = clients.split(separator: "\n").first { $0.contains("cmd=xread") }
                        let id = blocked?.split(separator: " ").first?.dropFirst("id=".count)
                        guard let id else { return false }
                        let answer = try await connection.command(
                            RESPCommand("CLIENT", "UNBLOCK", String(id), "ERROR"))
                        return answer.integer == 1
                    }
                    try await eventually("taken up again") { source.status.reconnects >= 1 }
                    try await connection.add("s", "after")
                    try await eventually("delivered") { delivered.texts == ["after"] }
                }
                #expect(source.status.lastError?.contains("UNBLOCKED") == true)
            }
        }
    }

    @Test("A stop ends a blocked read, and the run returns normally")
    func stopBlocked() async throws {
        try await withRedisServer { server in
            // The block is longer than any test may take: only the stop can end it.
            let source = RedisStreamSource(server, block: .seconds(86_400))
            try await withRunning(source, { _ in }) {
                try await eventually("reading") { source.status.state == .reading }
            }
            #expect(source.status.state == .stopped)
            #expect(source.status.lastError == nil)
            source.stop()
        }
    }

    @Test("A stop before the run makes it return immediately")
    func stopBefore() async throws {
        let source = RedisStreamSource(
            RedisSettings(address: .unix(path: "/nonexistent")), RedisStreamSettings(stream: "s"), logger: quiet)
        source.stop()
        try await source.run { _ in }
        #expect(source.status.state == .stopped)
    }

    @Test("A stop ends the wait for a missing server")
    func stopWithoutServer() async throws {
        for address in [RedisAddress.unix(path: "/nonexistent/s"), .tcp(host: "127.0.0.1", port: 1)] {
            let source = RedisStreamSource(
                RedisSettings(address: address), RedisStreamSettings(stream: "s"), logger: quiet)
            try await withRunning(source, { _ in }) {
                try await eventually("told") { source.status.lastError != nil }
                #expect(source.status.state == .connecting)
            }
            #expect(source.status.lastError?.contains("\(address)") == true, "\(source.status.lastError ?? "")")
        }
    }

    @Test("Cancelling the task acts like a stop")
    func cancel() async throws {
        try await withRedisServer { server in
            let source = RedisStreamSource(server, block: .seconds(86_400))
            let run = Task { try await source.run { _ in } }
            try await eventually("reading") { source.status.state == .reading }
            run.cancel()
            try await run.value
            #expect(source.status.state == .stopped)
        }
    }

    @Test("A batch in flight is finished after a stop, including its waits")
    func stopDuringDelivery() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { try await $0.add("s", "1", id: "1") }
            let (source, delivered) = (RedisStreamSource(server, start: .beginning), Delivered())
            try await source.run { batch in
                source.stop()
                for _ in 0..<10 { await Task.yield() }
                delivered.take(batch)
            }
            #expect(delivered.count == 1)
            #expect(source.status.cursor == EntryID(milliseconds: 1, sequence: 0))
        }
    }

    @Test("A server that accepts connections but never replies times out and is retried")
    func silentServer() async throws {
        let (descriptor, port) = try RawSocket.silentListener()
        defer { close(descriptor) }
        var settings = RedisSettings(address: .tcp(host: "127.0.0.1", port: port))
        settings.timeout = .milliseconds(50)
        let source = RedisStreamSource(settings, RedisStreamSettings(stream: "s"), logger: quiet)
        try await withRunning(source, { _ in }) {
            try await eventually("told") { source.status.lastError?.contains("no reply within") == true }
        }
    }

    @Test("A command that times out closes the connection, since replies could no longer be matched")
    func commandTimeout() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let blocked = connection.submit(RESPCommand("BLPOP", "none", 0), timeout: .milliseconds(20))
                let error = await #expect(throws: RedisError.self) { try await blocked.reply() }
                #expect(error?.code == .timedOut && error?.isTransient == true)
                let next = await #expect(throws: RedisError.self) { try await connection.ping() }
                #expect(next?.code == .timedOut)
                connection.close()
                connection.close()
            }
        }
    }

    @Test("Of too many commands in flight, the first are answered and the rest are refused")
    func tooManyCommands() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                var (answered, refused) = (0, 0)
                for reply in connection.submit((0..<3000).map { RESPCommand("ECHO", $0) }) {
                    do throws(RedisError) {
                        let value = try await reply.reply().value()
                        #expect(value.integer == Int64(answered))
                        answered += 1
                    } catch {
                        #expect(error.code == .tooManyCommands)
                        refused += 1
                    }
                }
                #expect(answered > 500 && answered + refused == 3000)
                try await connection.ping()
            }
        }
    }

    @Test("Commands sent together are answered in their order")
    func pipeline() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let pending = connection.submit((0..<500).map { RESPCommand("ECHO", $0) })
                for (index, reply) in pending.enumerated() {
                    let value = try await reply.reply().value()
                    #expect(value.integer == Int64(index))
                }
            }
        }
    }
}
