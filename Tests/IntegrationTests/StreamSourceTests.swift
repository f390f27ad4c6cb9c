import ComponentKit
import RESP
import RedisClient
import RedisStreams
import StageKit
import Testing

@Suite struct StreamSourceTests {
    @Test("From the tail, only entries added after the start are read")
    func tail() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                try await connection.add("s", "old")
                let (source, delivered) = (RedisStreamSource(server), Delivered())
                try await withRunning(source, { delivered.take($0) }) {
                    try await eventually("reading") { source.status.state == .reading }
                    try await connection.add("s", "new")
                    try await eventually("delivered") { delivered.count == 1 }
                    try await eventually("cursor follows") { source.status.cursor == delivered.ids.last }
                }
                #expect(delivered.texts == ["new"])
                #expect(source.status.state == .stopped)
            }
        }
    }

    @Test("From the tail of a stream that does not exist yet, its first entry is read")
    func tailOfNothing() async throws {
        try await withRedisServer { server in
            let (source, delivered) = (RedisStreamSource(server), Delivered())
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("reading") { source.status.cursor == .zero }
                try await withConnection(server.settings) { connection in
                    _ = try await connection.add("s", "first")
                }
                try await eventually("delivered") { delivered.texts == ["first"] }
            }
        }
    }

    @Test("From the beginning, all entries are read in order, whatever the count")
    func beginning() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for index in 1...300 { try await connection.add("s", "\(index)", id: "\(index)") }
            }
            let (source, delivered) = (RedisStreamSource(server, start: .beginning, count: 7), Delivered())
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("all delivered") { delivered.count == 300 }
                try await eventually("caught up") { source.status.isCaughtUp }
            }
            #expect(delivered.texts == (1...300).map { "\($0)" })
        }
    }

    @Test("After an id, the entry with that id is not read again")
    func afterID() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for id in ["5-1", "5-2", "5-3"] { try await connection.add("s", id, id: id) }
            }
            let start = StreamStart.after(EntryID(milliseconds: 5, sequence: 1))
            let (source, delivered) = (RedisStreamSource(server, start: start), Delivered())
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("delivered") { delivered.count == 2 }
            }
            #expect(delivered.texts == ["5-2", "5-3"])
        }
    }

    @Test("A relative time reads entries that are newer by the server's clock")
    func timeBack() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let time = try await connection.command(RESPCommand("TIME"))
                let seconds = try #require(time.array?.first?.integer)
                try await connection.add("s", "hours old", id: "\((seconds - 7200) * 1000)")
                try await connection.add("s", "minutes old", id: "\((seconds - 600) * 1000)")
                try await connection.add("s", "fresh")
            }
            let (source, delivered) = (RedisStreamSource(server, start: .back(.seconds(3600))), Delivered())
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("delivered") { delivered.count == 2 }
            }
            #expect(delivered.texts == ["minutes old", "fresh"])
        }
    }

    @Test("The cursor moves only when a batch has been delivered, and the next read is not lost meanwhile")
    func cursorAfterDelivery() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let source = RedisStreamSource(server, start: .beginning, count: 1)
                let delivered = Delivered()
                try await connection.add("s", "1", id: "1")
                try await connection.add("s", "2", id: "2")
                try await withRunning(
                    source,
                    { batch in
                        // Deliveries come one at a time, so what the status tells is of the batches before.
                        let before = delivered.ids.last ?? .zero
                        #expect(source.status.cursor == before)
                        delivered.take(batch)
                    }
                ) {
                    try await eventually("both delivered") { delivered.count == 2 }
                    try await eventually("cursor") {
                        source.status.cursor == EntryID(milliseconds: 2, sequence: 0)
                    }
                }
            }
        }
    }

    @Test("Batches are delivered on the thread of one event loop")
    func thread() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                for index in 1...50 { try await connection.add("s", "\(index)", id: "\(index)") }
            }
            let (source, threads) = (RedisStreamSource(server, start: .beginning, count: 5), ThreadNames())
            try await withRunning(
                source,
                { batch in
                    threads.note(batch.count)
                    // A wait within the delivery comes back to the same thread.
                    await Task.yield()
                    threads.note(0)
                }
            ) {
                try await eventually("all delivered") { threads.events == 50 }
            }
            #expect(threads.distinct.count == 1)
            #expect(threads.distinct.allSatisfy { $0.hasPrefix("NIO-ELT") }, "\(threads.distinct)")
        }
    }

    @Test("Bytes of any kind and entries of any size come through as they are")
    func binary() async throws {
        try await withRedisServer { server in
            let everyByte = (0...255).map { UInt8($0) }
            let long = [UInt8](repeating: 0x0D, count: 3_000_000)
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(RESPCommand("XADD", "s", "1", everyByte, long, [], everyByte))
                _ = try await connection.command(RESPCommand("XADD", "s", "2", "a", []))
            }
            let (source, delivered) = (RedisStreamSource(server, start: .beginning), Delivered())
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("delivered") { delivered.count == 2 }
            }
            let same = delivered.entries.first?.fields == [everyByte, long, [], everyByte]
            #expect(same)
            #expect(delivered.entries.last?.fields == [Array("a".utf8), []])
        }
    }

    @Test("A batch of 100,000 entries is read completely")
    func hugeBatch() async throws {
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in
                let script = "for i = 1, 100000 do redis.call('XADD', KEYS[1], i, 'n', i, 'x', 'yyyyyyyyyyyyyyyy') end"
                _ = try await connection.command(RESPCommand("EVAL", script, 1, "s"), timeout: .seconds(120))
            }
            let source = RedisStreamSource(server, start: .beginning, count: 100_000)
            let delivered = Delivered()
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("delivered") { delivered.count == 100_000 }
            }
            #expect(delivered.texts.last == "yyyyyyyyyyyyyyyy")
            #expect(delivered.ids == (1...100_000).map { EntryID(milliseconds: $0, sequence: 0) })
        }
    }

    @Test("A blocking read that returns nothing means caught up and is repeated")
    func emptyBlocks() async throws {
        try await withRedisServer { server in
            let (source, delivered) = (RedisStreamSource(server, block: .milliseconds(1)), Delivered())
            try await withRunning(source, { delivered.take($0) }) {
                try await eventually("caught up") { source.status.isCaughtUp }
                try await withConnection(server.settings) { connection in
                    _ = try await connection.add("s", "later")
                }
                try await eventually("delivered") { delivered.count == 1 }
            }
            #expect(source.status.reconnects == 0)
        }
    }

    @Test("An error of the delivery ends the run, with the cursor before the batch")
    func deliveryThrows() async throws {
        struct Refused: Error {}
        try await withRedisServer { server in
            try await withConnection(server.settings) { connection in _ = try await connection.add("s", "1") }
            let source = RedisStreamSource(server, start: .beginning)
            await #expect(throws: Refused.self) { try await source.run { _ in throw Refused() } }
            #expect(source.status.cursor == .zero)
            #expect(source.status.state == .stopped)
        }
    }
}
