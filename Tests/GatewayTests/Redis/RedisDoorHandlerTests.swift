import NIOCore
import NIOEmbedded
import StageKit
import Testing

@testable import Gateway

@Suite struct RedisDoorHandlerTests {
    @Test(
        "Requests in a row are answered in order, however they are cut; at a channel in one write for each read",
        arguments: RedisShell.allCases)
    func pipelining(shell: RedisShell) throws {
        let lines = (0..<40).map { "HGET sessions:ds-\($0 % 3) status" } + ["PING"]
        let bytes = RedisText.requests(lines)
        let expected = try RedisDoor().connect(2).send(bytes)
        #expect(expected.hasSuffix("+PONG\r\n"))
        for size in [1, 7, 100, 10_000] {
            let client = try RedisDoor(shell: shell).connect(2)
            var answers = ""
            for start in stride(from: 0, to: bytes.count, by: size) {
                let piece = Array(bytes[start..<min(start + size, bytes.count)])
                guard let channel = client.channel else {
                    answers += try client.send(piece)
                    continue
                }
                try channel.writeInbound(ByteBuffer(bytes: piece))
                if let buffer = try channel.readOutbound(as: ByteBuffer.self) { answers += String(buffer: buffer) }
                #expect(try channel.readOutbound(as: ByteBuffer.self) == nil)
            }
            #expect(answers == expected, "\(size)")
        }
    }

    @Test("More commands than a turn has are all answered", arguments: RedisShell.allCases)
    func turns(shell: RedisShell) throws {
        let door = try RedisDoor(shell: shell)
        let count = 5 * RedisLimits.commandsPerTurn + 3
        let answers = try door.connect(2).send(RedisText.requests(Array(repeating: "PING", count: count)))
        #expect(answers == String(repeating: "+PONG\r\n", count: count))
        #expect(door.metrics.all["sluice_gateway_commands redis"] == count)
    }

    @Test(
        "Invalid and too long requests are refused, and the connection ends",
        arguments: [
            ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "malformed"), ("*1\r\n:1\r\n", ""), ("+PING\r\n", ""),
            ("*1\r\n*1\r\n$4\r\nPING\r\n", "arguments"), ("*1000000\r\n", "arguments"),
            ("*2\r\n$3\r\nGET\r\n$100000000\r\n", "arguments"), ("*1\r\n$-5\r\n", "malformed"),
            ("*1\r\n$4\r\nPINGxx", "malformed"),
        ], RedisShell.allCases)
    func malformed(request: (text: String, reason: String), shell: RedisShell) throws {
        let door = try RedisDoor(shell: shell)
        let client = try door.connect(2)
        let reason = request.reason
        let answer = try client.send(Array(request.text.utf8))
        #expect(answer.hasPrefix("-ERR Protocol error"), "\(answer)")
        #expect(answer.split(separator: "\r\n").count == 1)
        #expect(try client.send("PING") == "")
        #expect(!client.isOpen)
        if !reason.isEmpty { #expect(door.metrics.all["sluice_gateway_refusals redis \(reason)"] == 1) }
    }

    @Test("Empty requests are ignored")
    func empty() throws {
        #expect(try RedisDoor().connect(2).send(Array("*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n".utf8)) == "+PONG\r\n")
    }

    @Test("A reply beyond its limit is an error", arguments: RedisShell.allCases)
    func longReply(shell: RedisShell) throws {
        let door = try RedisDoor(shell: shell)
        let long = String(repeating: "x", count: 60_000)
        door.store.set("long", ["status": long])
        let client = try door.connect(2)
        let names = Array(repeating: "status", count: 500).joined(separator: " ")
        for line in ["HMGET sessions:long \(names)", "PING"] {
            let answer = try client.send(line)
            #expect(answer.hasPrefix(line == "PING" ? "+PONG" : "-ERR the reply has more than"), "\(answer.prefix(80))")
        }
    }

    @Test("A channel that is not writable is not read from, and continues when it is")
    func backpressure() throws {
        let door = try RedisDoor(shell: .channel)
        let client = try door.connect(2)
        let channel = try #require(client.channel)
        channel.isWritable = false
        let line = "HGETALL sessions:ds-1"
        let expected = try door.connect(2).send(line)
        let count = 2 * RedisLimits.flushBytes / expected.utf8.count
        var answers = try client.send(RedisText.requests(Array(repeating: line, count: count)))
        #expect(answers.utf8.count < RedisLimits.flushBytes + 2 * expected.utf8.count)
        channel.isWritable = true
        channel.pipeline.fireChannelWritabilityChanged()
        answers += try client.received()
        #expect(answers == String(repeating: expected, count: count))
    }

    @Test(
        "A connection is closed if a request or the password takes too long, and never while it is idle",
        arguments: RedisShell.allCases)
    func time(shell: RedisShell) throws {
        let door = try RedisDoor(shell: shell, password: "correct-horse-battery")
        let silent = try door.connect()
        let unknown = try door.connect()
        let idle = try door.connect(2, "AUTH correct-horse-battery")
        let slow = try door.connect(2, "AUTH correct-horse-battery")
        _ = try slow.send(Array("*1\r\n$4\r\nPI".utf8))
        for _ in 0...GatewayLimits.requestSeconds {
            _ = try unknown.send("PING")
            door.loop.sweep()
        }
        #expect(!silent.isOpen && !unknown.isOpen && !slow.isOpen)
        for _ in 0..<1000 { door.loop.sweep() }
        #expect(idle.isOpen && door.connections.count == 1)
        door.loop.stop()
        #expect(!idle.isOpen && door.connections.count == 0)
    }

    @Test(
        "Random bytes and damaged requests do no harm: every reply is RESP, and the next connection works",
        arguments: RedisShell.allCases)
    func random(shell: RedisShell) throws {
        var generator = SplitMix64(state: 42)
        let lines = [
            "HGETALL sessions:ds-1", "HELLO 3", "CLIENT TRACKING ON BCAST PREFIX s", "SUBSCRIBE a", "SCAN 0 MATCH [a",
            "MULTI", "EXEC", "MGET sessions:ds-1 x", "RESET", "PSUBSCRIBE *", "CLIENT CACHING YES", "COMMAND DOCS",
            "CLIENT TRACKING ON OPTIN", "SMISMEMBER sessions:active a b", "INFO", "HELLO 2", "UNSUBSCRIBE",
        ]
        let door = try RedisDoor(shell: shell)
        for round in 0..<RandomRounds.count(600) {
            let client = try door.connect()
            var bytes: [UInt8] = []
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                bytes += RedisText.requests([lines.randomElement(using: &generator) ?? ""])
            }
            for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
                let index = Int.random(in: bytes.indices, using: &generator)
                switch Int.random(in: 0...2, using: &generator) {
                case 0: bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
                case 1: bytes.remove(at: index)
                default: bytes.insert("*$:\r\n019-".utf8.randomElement(using: &generator) ?? 0, at: index)
                }
            }
            let cut = Int.random(in: 0...bytes.count, using: &generator)
            _ = try client.write(Array(bytes[..<cut]))
            door.inbox.snapshotChanged("ds-1".utf8.span)
            _ = try client.write(Array(bytes[cut...]))
            door.inbox.publish([Array("{}".utf8)])
            try self.check(client, round)
            client.close()
        }
        #expect(try door.connect(2).send("PING") == "+PONG\r\n")
        #expect(door.inbox.take().isEmpty)
    }

    private func check(_ client: RedisDoorClient, _ round: Int) throws {
        let bytes = Array(try client.received().utf8)
        var rest = bytes[...]
        while !rest.isEmpty {
            guard RedisText.dropValue(&rest) else {
                Issue.record("round \(round): \(String(decoding: bytes, as: UTF8.self).folded)")
                return
            }
        }
    }
}
