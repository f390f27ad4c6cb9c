import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import StageKit
import Synchronization
import Testing

@testable import Gateway
@testable import HTTPBase

/// Redis doors with addresses.
enum RedisServer {
    /// Creates a door that has not started.
    static func make(
        _ settings: RedisDoorSettings, _ store: FixedRedisStore, connections: Int = 10, metrics: CountingMetrics,
        onListening: @escaping @Sendable (ListenAddress) -> Void = { _ in }
    ) throws -> RedisDoorServer {
        RedisDoorServer(
            settings, secrets: try RedisDoorSecrets(settings),
            names: RedisDoorServer.Names(store: "sessions", channel: "revoked", version: "1.2.3"), store: store,
            metrics: metrics, connectionLimit: connections, logger: DoorServer.silent, onListening: onListening)
    }

    /// Runs a door, calls `body` with it and its actual addresses, and shuts it down.
    static func run(
        _ settings: RedisDoorSettings, _ store: FixedRedisStore = FixedRedisStore(), connections: Int = 10,
        metrics: CountingMetrics = CountingMetrics(),
        _ body: (RedisDoorServer, [ListenAddress]) async throws -> Void
    ) async throws {
        try await DoorServer.run(addresses: settings.listen.count) {
            try self.make(settings, store, connections: connections, metrics: metrics, onListening: $0)
        } _: {
            try await body($0, $1)
        }
    }

    /// Makes a certificate with its key in a directory.
    static func certificate(in directory: String) throws -> ServerTLS {
        let (key, certificate) = ("\(directory)/door.key", "\(directory)/door.crt")
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "30", "-subj", "/CN=door", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        let position = SettingPosition(line: 1, column: 1)
        var tls = ServerTLS()
        tls.certificateFile = LocatedName(certificate, at: position)
        tls.keyFile = LocatedName(key, at: position)
        return tls
    }
}

/// A client of a door with addresses.
final class RedisServerClient: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let text = Mutex("")
    private let channel = Mutex<(any Channel)?>(nil)

    func connect(_ address: ListenAddress, isEncrypted: Bool = false) async throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        // The certificate is the test's own.
        configuration.certificateVerification = .none
        let tls = isEncrypted ? try NIOSSLContext(configuration: configuration) : nil
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                let pipeline = channel.pipeline.syncOperations
                if let tls {
                    try pipeline.addHandler(try NIOSSLClientHandler(context: tls, serverHostname: nil))
                }
                try pipeline.addHandler(self)
            }
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
