import Logging
import RESP
import RedisClient
import RedisStreams
import StageKit
import StageTestKit
import Testing

@Suite struct MessagePublisherTests {
    private func entry(_ stream: String, _ value: String, maxLength: Int? = nil) -> OutgoingMessage {
        .entry(stream: stream, maxLength: maxLength, fields: [OutgoingMessage.Field("v", value)])
    }

    private func publisher(
        _ server: RedisServer, patience: Duration = .seconds(3600), logger: Logger = quiet
    ) -> RedisMessagePublisher {
        RedisMessagePublisher(server.settings, patience: patience, logger: logger)
    }

    private func values(_ stream: String, _ server: RedisServer) async throws -> [String] {
        try await withConnection(server.settings) { connection in
            let entries = try await connection.command(RESPCommand("XRANGE", stream, "-", "+")).array ?? []
            return entries.compactMap { $0.array?.last?.array?.last?.string }
        }
    }

    @Test("Entries arrive in order and byte for byte, also beyond the send window and with repeated names")
    func order() async throws {
        try await withRedisServer { server in
            let publisher = self.publisher(server)
            let texts = (1...1500).map { "\($0)" }
            let results = try await publisher.publish(texts.map { self.entry("s", $0) })
            #expect(results.count == 1500 && results.allSatisfy { $0 == nil })
            #expect(try await self.values("s", server) == texts)
            let field = OutgoingMessage.Field(name: [0xFF, 0x00], value: [0x0D, 0x0A])
            _ = try await publisher.publish([.entry(stream: "b", maxLength: nil, fields: [field, field])])
            try await withConnection(server.settings) { connection in
                let entries = try await connection.command(RESPCommand("XRANGE", "b", "-", "+")).array
                let fields = entries?.first?.array?.last?.array?.compactMap(\.bytes)
                #expect(fields == [[0xFF, 0x00], [0x0D, 0x0A], [0xFF, 0x00], [0x0D, 0x0A]])
            }
            #expect(try await publisher.publish([]) == [])
            await publisher.shutDown()
        }
    }

    @Test("Messages larger than the send buffer in total all arrive")
    func large() async throws {
        try await withRedisServer { server in
            let publisher = self.publisher(server)
            let large = String(repeating: "x", count: 5 << 20)
            let results = try await publisher.publish((1...6).map { self.entry("s", "\($0)\(large)") })
            #expect(results.allSatisfy { $0 == nil })
            // Compared by the server: to read 30 MiB takes a debug build seconds.
            let script = """
                local found = {}
                for i, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
                  found[i] = entry[2][2]:sub(1, 2) .. ' ' .. #entry[2][2]
                end
                return found
                """
            let found = try await withConnection(server.settings) { connection in
                try await connection.command(RESPCommand("EVAL", script, 1, "s")).array?.compactMap(\.string)
            }
            #expect(found == (1...6).map { "\($0)x \(large.utf8.count + 1)" })
            await publisher.shutDown()
        }
    }

    @Test("A stream is trimmed to about its length, and a channel's subscribers get the bytes")
    func targets() async throws {
        try await withRedisServer { server in
            let publisher = self.publisher(server)
            _ = try await publisher.publish((1...5000).map { self.entry("s", "\($0)", maxLength: 100) })
            #expect(try await self.values("s", server).count < 1000)
            try await withConnection(server.settings) { listener in
                // The first two have no answer, so the next two answers are the subscription's and the message.
                let pending = listener.submit([
                    RESPCommand("CLIENT", "REPLY", "SKIP"), RESPCommand("PING"), RESPCommand("SUBSCRIBE", "c"),
                ])
                _ = try await pending[0].reply()
                _ = try await publisher.publish([.text(channel: "c", payload: [0x00, 0xFF])])
                let message = try await pending[1].reply().value()
                #expect(message.array?.compactMap(\.bytes) == [Array("message".utf8), Array("c".utf8), [0x00, 0xFF]])
            }
            await publisher.shutDown()
        }
    }

    @Test("A message that the server refuses fails alone")
    func refusals() async throws {
        let options = RedisServer.Options(users: [
            "user default on nopass ~* &* +@all", "user writer on nopass ~s ~text &* +xadd +ping",
        ])
        try await withRedisServer(options) { server in
            try await withConnection(server.settings) { _ = try await $0.command(RESPCommand("SET", "text", "x")) }
            var settings = server.settings
            settings.username = "writer"
            settings.password = Secret("any")
            let publisher = RedisMessagePublisher(settings, logger: quiet)
            let results = try await publisher.publish([
                self.entry("s", "1"), self.entry("text", "2"), self.entry("other", "3"), self.entry("s", "4"),
                .text(channel: "c", payload: []), self.entry("s", "5"),
            ])
            #expect(results.map { $0 == nil } == [true, false, false, true, false, true])
            #expect(results[1]?.message.hasPrefix("XADD: the server replied \"WRONGTYPE") == true)
            #expect(results[2]?.message.contains("NOPERM") == true)
            #expect(results[4]?.message.hasPrefix("PUBLISH: the server replied \"NOPERM") == true)
            #expect(try await self.values("s", server) == ["1", "4", "5"])
            await publisher.shutDown()
        }
    }

    @Test("Messages wait while the server is out of memory, and fail if that lasts longer than the patience")
    func outOfMemory() async throws {
        try await withRedisServer { server in
            let log = RecordingLog()
            let publisher = self.publisher(server, logger: log.logger(label: "test"))
            let hasty = RedisMessagePublisher(server.settings, patience: .milliseconds(1), logger: quiet)
            try await withConnection(server.settings) { connection in
                _ = try await connection.command(RESPCommand("CONFIG", "SET", "maxmemory", 1))
                let refused = try await hasty.publish([self.entry("s", "1"), self.entry("s", "2")])
                #expect(refused.allSatisfy { $0?.message.contains("OOM") == true }, "\(refused)")
                try await withThrowingTaskGroup(of: [PublishFailure?].self) { group in
                    group.addTask { try await publisher.publish([self.entry("s", "3"), self.entry("s", "4")]) }
                    try await eventually("tried in vain") {
                        log.lines.contains { $0.metadata["code"] == "outOfMemory" }
                    }
                    _ = try await connection.command(RESPCommand("CONFIG", "SET", "maxmemory", 0))
                    for try await results in group { #expect(results == [nil, nil]) }
                }
            }
            #expect(try await self.values("s", server) == ["3", "4"])
            await publisher.shutDown()
            await hasty.shutDown()
        }
    }

    @Test("Messages wait for an unreachable server and arrive in order")
    func retry() async throws {
        try await withRedisServer { server in
            let log = RecordingLog()
            let publisher = self.publisher(server, logger: log.logger(label: "test"))
            _ = try await publisher.publish([self.entry("s", "lost with the server")])
            server.kill()
            try await withThrowingTaskGroup(of: [PublishFailure?].self) { group in
                group.addTask { try await publisher.publish((1...700).map { self.entry("s", "\($0)") }) }
                try await eventually("tried in vain") { log.lines.contains { $0.message.contains("retrying") } }
                try await server.start()
                for try await results in group { #expect(results.allSatisfy { $0 == nil }) }
            }
            #expect(try await self.values("s", server) == (1...700).map { "\($0)" })
            await publisher.shutDown()
        }
    }

    @Test("All messages fail if the server stays unreachable beyond the patience; cancellation ends the wait")
    func away() async throws {
        try await withRedisServer { server in
            server.kill()
            let hasty = self.publisher(server, patience: .milliseconds(50))
            let results = try await hasty.publish([self.entry("s", "1"), self.entry("s", "2")])
            #expect(results.count == 2)
            #expect(results.allSatisfy { $0?.message.hasPrefix("gave up after 50ms: ") == true }, "\(results)")
            await hasty.shutDown()
            let patient = self.publisher(server)
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    let error = await #expect(throws: RedisError.self) {
                        try await patient.publish([self.entry("s", "1")])
                    }
                    #expect(error?.message == "stopped before 1 of the messages were sent")
                }
                group.cancelAll()
            }
            await patient.shutDown()
        }
    }

    @Test("A server that refuses the credentials ends the run")
    func login() async throws {
        try await withRedisServer { server in
            var settings = server.settings
            settings.username = "nobody"
            settings.password = Secret("wrong")
            let publisher = RedisMessagePublisher(settings, logger: quiet)
            let error = await #expect(throws: RedisError.self) { try await publisher.publish([self.entry("s", "1")]) }
            #expect(error?.code == .authentication)
            await publisher.shutDown()
        }
    }
}
