import Foundation
import HTTPBase
import NIOCore
import NIOPosix
import StageKit
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct GatewayServerTests {
    private static let request = "GET / HTTP/1.1\r\nX-Session: good\r\nConnection: close\r\n\r\n"

    /// Runs a door, calls `body` with its actual addresses, and shuts it down.
    private func serve(
        _ listen: [ListenAddress], connections: Int = 10, metrics: CountingMetrics = CountingMetrics(),
        _ change: (inout HTTPDoorSettings) -> Void = { _ in }, _ body: ([ListenAddress]) async throws -> Void
    ) async throws {
        var settings = DoorConnection.settings
        settings.listen = listen
        change(&settings)
        try await DoorServer.run(settings, connections: connections, metrics: metrics, body)
    }

    private func connect(_ address: ListenAddress, _ handler: Collector) async throws -> any Channel {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).channelInitializer { channel in
            channel.pipeline.addHandler(handler)
        }
        switch address {
        case .tcp(let host, let port): return try await bootstrap.connect(host: host, port: port).get()
        case .unix(let path): return try await bootstrap.connect(unixDomainSocketPath: path).get()
        case .off: throw ChannelError.connectPending
        }
    }

    /// Sends text and returns what comes back until the door closes.
    private func exchange(_ address: ListenAddress, _ text: String) async throws -> String {
        let collector = Collector()
        let channel = try await self.connect(address, collector)
        try? await channel.writeAndFlush(ByteBuffer(string: text)).get()
        try await channel.closeFuture.get()
        return collector.text
    }

    /// Collects what comes in.
    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        private let received = Mutex("")

        var text: String { self.received.withLock { $0 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let piece = String(buffer: self.unwrapInboundIn(data))
            self.received.withLock { $0 += piece }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    @Test("A listener answers at all its addresses, with several threads, and removes its socket at the end")
    func addresses() async throws {
        try await withDirectory { directory in
            let socket = "\(directory)/gateway.sock"
            let listen: [ListenAddress] = [.tcp(host: "127.0.0.1", port: 0), .unix(path: socket)]
            let metrics = CountingMetrics()
            try await self.serve(listen, metrics: metrics) {
                $0.mode = 0o660
                $0.threads = 3
            } _: { addresses in
                let attributes = try FileManager.default.attributesOfItem(atPath: socket)
                #expect(attributes[.posixPermissions] as? Int == 0o660)
                for address in addresses {
                    for _ in 0..<6 {
                        let answer = try await self.exchange(address, Self.request)
                        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.contains("\r\nX-User: alice\r\n"))
                    }
                }
            }
            #expect(!FileManager.default.fileExists(atPath: socket))
            #expect(metrics.all == ["sluice_gateway_decisions http allowed": 12])
        }
    }

    @Test("A connection beyond the limit is closed, and a connection that ends makes room")
    func limit() async throws {
        let metrics = CountingMetrics()
        try await self.serve([.tcp(host: "127.0.0.1", port: 0)], connections: 2, metrics: metrics) { addresses in
            var held: [any Channel] = []
            for _ in 0..<2 { held.append(try await self.connect(addresses[0], Collector())) }
            #expect(try await self.exchange(addresses[0], Self.request) == "")
            #expect(metrics.all == ["sluice_gateway_refusals http connections": 1])
            for channel in held { try await channel.close() }
            // The door learns of the end in its own time.
            var answer = ""
            while answer.isEmpty { answer = try await self.exchange(addresses[0], Self.request) }
            #expect(answer.hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test("A shutdown ends idle connections")
    func shutdown() async throws {
        let collector = Collector()
        var idle: (any Channel)?
        try await self.serve([.tcp(host: "127.0.0.1", port: 0)]) { addresses in
            idle = try await self.connect(addresses[0], collector)
            try await idle?.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\nX-Session: good\r\n\r\n")).get()
            while !collector.text.hasSuffix("\r\n\r\n") { try await Task.sleep(for: .milliseconds(1)) }
        }
        try await idle?.closeFuture.get()
        #expect(collector.text.hasPrefix("HTTP/1.1 200"))
    }

    @Test("An address in use is an error that names the setting and the address, and the other addresses are left")
    func inUse() async throws {
        try await withDirectory { directory in
            try await self.serve([.tcp(host: "127.0.0.1", port: 0)]) { taken in
                let socket = "\(directory)/gateway.sock"
                let error = await #expect(throws: ServerFailure.self) {
                    try await self.serve([.unix(path: socket)] + taken) { _ in }
                }
                #expect(error == ServerFailure("gateway.http.listen", .addressInUse(taken[0])))
                #expect(!FileManager.default.fileExists(atPath: socket))
            }
        }
    }

    @Test("No log line or dump shows the token")
    func hidden() throws {
        var settings = DoorConnection.settings
        settings.token = "correct-horse-battery"
        let secrets = try GatewaySecrets(settings)
        let server = GatewayServer(
            settings, secrets: secrets, store: FixedGatewayStore(), metrics: CountingMetrics(),
            logger: DoorServer.silent)
        var dumped = ""
        dump(secrets, to: &dumped)
        dump(server, to: &dumped)
        for text in ["\(secrets)", String(reflecting: secrets), "\(server)", String(reflecting: server), dumped] {
            #expect(!text.contains("correct") && !text.contains("99, 111, 114") && !text.contains("99\n"))
        }
    }
}
