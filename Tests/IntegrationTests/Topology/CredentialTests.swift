import ComponentKit
import Foundation
import RESP
import RedisClient
import StageKit
import Testing

@testable import RedisStreams

/// User and password go to the servers that the file names, and to nobody that one of them names without being asked.
@Suite(.timeLimit(.minutes(10))) struct CredentialTests {
    private static let secret = "hunter2-secret"

    private func settings(_ port: Int) -> RedisSettings {
        var settings = RedisSettings(address: .tcp(host: "127.0.0.1", port: port))
        settings.password = Secret(Self.secret)
        settings.timeout = .seconds(20)
        settings.connectTimeout = .seconds(20)
        return settings
    }

    /// A server that logs everybody in and answers everything else with a redirection to a port.
    private func withRedirecting<R>(
        _ kind: String, to port: Int, _ body: (FakeServer) async throws -> R
    ) async throws -> R {
        try await FakeServer.with(
            { name in
                switch name {
                case "AUTH", "SELECT": "+OK\r\n"
                case "CLIENT": ":7\r\n"
                case "PING": "+PONG\r\n"
                default: "-\(kind) 866 127.0.0.1:\(port)\r\n"
                }
            }, body)
    }

    @Test(
        "MOVED and ASK without redis.cluster end the run without connecting to the named server",
        arguments: ["MOVED", "ASK"], [nil, "workers"])
    func redirections(kind: String, group: String?) async throws {
        try await FakeServer.with({ _ in "+OK\r\n" }) { other in
            try await self.withRedirecting(kind, to: other.port) { server in
                var stream = RedisStreamSettings(stream: "s")
                stream.group = group.map { GroupSettings(name: $0) }
                let source = RedisStreamSource(self.settings(server.port), stream, stores: [], logger: quiet)
                let error = await #expect(throws: RedisError.self) { try await source.run { _ in } }
                #expect(error?.code == .moved && error?.isTransient == false)
                #expect(
                    error?.message.contains("part of a cluster: use redis.cluster") == true, "\(error?.message ?? "")")
                #expect(server.text.contains(Self.secret))
                #expect(other.connectionCount == 0, "\(other.text)")
            }
        }
    }

    @Test("Messages and store operations follow no redirection without redis.cluster either")
    func senders() async throws {
        try await FakeServer.with({ _ in "+OK\r\n" }) { other in
            try await self.withRedirecting("MOVED", to: other.port) { server in
                let publisher = RedisMessagePublisher(self.settings(server.port), logger: quiet)
                let message = OutgoingMessage.entry(
                    stream: "s", maxLength: nil, fields: [OutgoingMessage.Field("a", "b")])
                let refused = await #expect(throws: RedisError.self) { try await publisher.publish([message]) }
                #expect(refused?.message.contains("use redis.cluster") == true)
                await publisher.shutDown()
                let store = RedisStore(
                    name: "a", RedisStoreSettings(), server: self.settings(server.port), logger: quiet)
                let unknown = await #expect(throws: RedisError.self) { try await store.lookUp(Array("k".utf8)) }
                #expect(unknown?.message.contains("use redis.cluster") == true)
                await store.shutDown()
                #expect(other.connectionCount == 0)
            }
        }
    }

    /// A server that logs everybody in and refuses the first command of this name for want of a login.
    private func withForgetful<R>(
        _ command: String, then answer: String, _ body: (FakeServer) async throws -> R
    ) async throws -> R {
        let isFirst = OrderedMutex(true)
        return try await FakeServer.with(
            { name in
                guard name == command else { return name == "PING" ? "+PONG\r\n" : "+OK\r\n" }
                let isRefused = isFirst.withLock { first in
                    defer { first = false }
                    return first
                }
                return isRefused ? "-NOAUTH Authentication required.\r\n" : answer
            }, body)
    }

    @Test("A connection whose login a server has forgotten is replaced, for work on every primary")
    func primaries() async throws {
        try await self.withForgetful("SCAN", then: "*2\r\n$1\r\n0\r\n*0\r\n") { server in
            let history = ConnectionHistory()
            let sender = CommandSender(
                self.settings(server.port), CommandSender.Rules(patience: nil, endsAtRefusal: false), history,
                what: "changes", progress: ProgressReporter(), logger: quiet)
            try await sender.withPrimaries { (connections) throws(RedisError) in
                for connection in connections { _ = try await connection.command(RESPCommand("SCAN", "0")) }
            }
            await sender.shutDown()
            #expect(server.connectionCount == 2 && history.failures == ["login": 1])
        }
    }

    @Test("A connection whose login a server has forgotten is replaced, for lookups")
    func lookup() async throws {
        try await self.withForgetful("HGETALL", then: "*0\r\n") { server in
            let store = RedisStore(
                name: "a", RedisStoreSettings(), server: self.settings(server.port), logger: quiet)
            let refused = await #expect(throws: RedisError.self) { try await store.lookUp(Array("k".utf8)) }
            #expect(refused?.isTransient == true && refused?.code == .authentication)
            let found = try await store.lookUp(Array("k".utf8))
            await store.shutDown()
            #expect(found == nil && server.connectionCount == 2)
        }
    }

    @Test("With redis.tls a plaintext sentinel gets a TLS hello and nothing else")
    func sentinel() async throws {
        try await FakeServer.with({ _ in "*2\r\n$9\r\n127.0.0.1\r\n$4\r\n6379\r\n" }) { fake in
            var settings = self.settings(fake.port)
            settings.connectTimeout = .seconds(20)
            settings.tls = TLSSettings()
            var sentinel = SentinelSettings()
            sentinel.master = "main"
            sentinel.password = Secret(Self.secret)
            sentinel.addresses = [settings.address]
            settings.sentinel = sentinel
            await #expect(throws: RedisError.self) { try await withConnection(settings) { _ in } }
            // A TLS record: a handshake.
            #expect(fake.bytes.first == 22)
            #expect(!fake.text.contains(Self.secret) && !fake.text.contains("SENTINEL"))
        }
    }
}
