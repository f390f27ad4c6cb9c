import ComponentKit
import Foundation
import HTTPBase
import NIOCore
import NIOPosix
import StageKit
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct RedisDoorServerTests {
    private func server(
        _ settings: RedisDoorSettings, _ store: FixedRedisStore, connections: Int = 10, metrics: CountingMetrics,
        onListening: @escaping @Sendable (ListenAddress) -> Void = { _ in }
    ) throws -> RedisDoorServer {
        RedisDoorServer(
            settings, secrets: try RedisDoorSecrets(settings),
            names: RedisDoorServer.Names(store: "sessions", channel: "revoked", version: "1.2.3"), store: store,
            metrics: metrics, connectionLimit: connections, logger: DoorServer.silent, onListening: onListening)
    }

    /// Runs a door, calls `body` with it and its actual addresses, and shuts it down.
    private func serve(
        _ settings: RedisDoorSettings, _ store: FixedRedisStore = FixedRedisStore(), connections: Int = 10,
        metrics: CountingMetrics = CountingMetrics(),
        _ body: (RedisDoorServer, [ListenAddress]) async throws -> Void
    ) async throws {
        try await DoorServer.run(addresses: settings.listen.count) {
            try self.server(settings, store, connections: connections, metrics: metrics, onListening: $0)
        } _: {
            try await body($0, $1)
        }
    }

    /// A client over a socket.
    private final class Client: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let text = Mutex("")
        private let channel = Mutex<(any Channel)?>(nil)

        func connect(_ address: ListenAddress) async throws {
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).channelInitializer {
                $0.pipeline.addHandler(self)
            }
            let channel =
                switch address {
                case .tcp(let host, let port): try await bootstrap.connect(host: host, port: port).get()
                case .unix(let path): try await bootstrap.connect(unixDomainSocketPath: path).get()
                case .off: throw ChannelError.connectPending
                }
            self.channel.withLock { $0 = channel }
        }

        func send(_ lines: String...) async throws { try await self.send(requests: lines) }

        func send(requests lines: [String]) async throws {
            let channel = self.channel.withLock { $0 }
            try await channel?.writeAndFlush(ByteBuffer(bytes: RedisText.requests(lines))).get()
        }

        /// Waits for at least that many bytes and takes them.
        func take(_ count: Int) async throws -> String {
            while self.text.withLock({ $0.utf8.count }) < count { try await Task.sleep(for: .milliseconds(1)) }
            return self.text.withLock { text in
                defer { text = "" }
                return text
            }
        }

        /// Waits until this has come.
        func expect(_ expected: String) async throws {
            while !self.text.withLock({ $0 }).folded.contains(expected) {
                try await Task.sleep(for: .milliseconds(1))
            }
            self.text.withLock { $0 = "" }
        }

        func closed() async throws { try await self.channel.withLock { $0 }?.closeFuture.get() }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let piece = String(buffer: self.unwrapInboundIn(data))
            self.text.withLock { $0 += piece }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    @Test("A door answers at all its addresses, with several threads, and passes changes and messages on")
    func addresses() async throws {
        try await withDirectory { directory in
            let store = FixedRedisStore()
            var settings = RedisDoorSettings()
            settings.listen = [.tcp(host: "127.0.0.1", port: 0), .unix(path: "\(directory)/redis.sock")]
            settings.mode = 0o660
            settings.threads = 3
            try await self.serve(settings, store) { server, addresses in
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(directory)/redis.sock")
                #expect(attributes[.posixPermissions] as? Int == 0o660)
                var clients: [Client] = []
                for index in 0..<6 {
                    let client = Client()
                    try await client.connect(addresses[index % 2])
                    try await client.send("HELLO 3", "CLIENT TRACKING ON", "SUBSCRIBE revoked", "HLEN sessions:ds-1")
                    try await client.expect(":2|")
                    clients.append(client)
                }
                store.set("ds-1", nil)
                server.observer.snapshotChanged("ds-1".utf8.span)
                for client in clients { try await client.expect("invalidate|*1|$13|sessions:ds-1|") }
                server.publish([Array("m".utf8)])
                for client in clients { try await client.expect("message|$7|revoked|$1|m|") }
                server.reload()
                for client in clients { try await client.expect("invalidate|_|") }
            }
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/redis.sock"))
        }
    }

    @Test("Thousands of pipelined requests get one reply each, in order, although the replies fill the socket")
    func pipelining() async throws {
        let store = FixedRedisStore()
        var settings = RedisDoorSettings()
        settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
        let count = 6 * RedisLimits.commandsPerTurn
        let value = String(repeating: "x", count: 400)
        for index in 0..<count { store.set("k\(index)", ["user_id": "\(10_000 + index)-\(value)"]) }
        let expected = (0..<count).map { "$406\r\n\(10_000 + $0)-\(value)\r\n" }.joined()
        try await self.serve(settings, store) { _, addresses in
            let client = Client()
            try await client.connect(addresses[0])
            for round in 0..<3 {
                try await client.send(requests: (0..<count).map { "HGET sessions:k\($0) user_id" } + ["PING"])
                let replies = try await client.take(expected.utf8.count + 7)
                // Compared outside of the macro, which would print a megabyte.
                let isRight = replies == expected + "+PONG\r\n"
                #expect(isRight, "round \(round): \(replies.utf8.count) bytes, \(expected.utf8.count + 7) expected")
            }
        }
    }

    @Test("The password is read again on a reload, and one that cannot be read stays as it was")
    func password() async throws {
        try await withDirectory { directory in
            let file = "\(directory)/password"
            try Data("the-first-password\n".utf8).write(to: URL(fileURLWithPath: file))
            var settings = RedisDoorSettings()
            settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
            settings.passwordFile = LocatedName(file, at: SettingPosition(line: 1, column: 1))
            try await self.serve(settings) { server, addresses in
                func check(_ password: String, _ expected: String) async throws {
                    let client = Client()
                    try await client.connect(addresses[0])
                    try await client.send("AUTH \(password)")
                    try await client.expect(expected)
                }
                try await check("the-first-password", "+OK|")
                try Data("the-second-password".utf8).write(to: URL(fileURLWithPath: file))
                server.reload()
                try await check("the-second-password", "+OK|")
                try await check("the-first-password", "-WRONGPASS")
                for bad in ["short", nil] {
                    try FileManager.default.removeItem(atPath: file)
                    if let bad { try Data(bad.utf8).write(to: URL(fileURLWithPath: file)) }
                    server.reload()
                    try await check("the-second-password", "+OK|")
                }
            }
        }
    }

    @Test("A connection beyond the limit is closed; a shutdown ends the others")
    func limit() async throws {
        let metrics = CountingMetrics()
        var settings = RedisDoorSettings()
        settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
        let held = [Client(), Client()]
        try await self.serve(settings, connections: 2, metrics: metrics) { _, addresses in
            for client in held {
                try await client.connect(addresses[0])
                try await client.send("PING")
                try await client.expect("+PONG|")
            }
            let third = Client()
            try await third.connect(addresses[0])
            try await third.closed()
            #expect(metrics.all["sluice_gateway_refusals redis connections"] == 1)
        }
        for client in held { try await client.closed() }
    }

    @Test("Nothing that is logged or dumped shows the password")
    func hidden() async throws {
        try await withDirectory { directory in
            let file = "\(directory)/password"
            try Data("correct-horse-battery".utf8).write(to: URL(fileURLWithPath: file))
            var settings = RedisDoorSettings()
            settings.passwordFile = LocatedName(file, at: SettingPosition(line: 1, column: 1))
            let secrets = try RedisDoorSecrets(settings)
            let server = try self.server(settings, FixedRedisStore(), metrics: CountingMetrics())
            var dumped = ""
            dump(secrets, to: &dumped)
            dump(server, to: &dumped)
            for text in ["\(secrets)", String(reflecting: secrets), "\(server)", String(reflecting: server), dumped] {
                #expect(!text.contains("correct") && !text.contains("99, 111, 114") && !text.contains("99\n"))
            }
        }
    }
}
