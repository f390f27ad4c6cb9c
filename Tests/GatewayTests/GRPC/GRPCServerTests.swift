import HTTPBase
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import StageKit
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(10))) struct GRPCServerTests {
    /// Runs a door, calls `body` with a connection to it, and shuts it down.
    private func serve(
        token: String = "", metrics: CountingMetrics = CountingMetrics(), _ body: (Client) async throws -> Void
    ) async throws {
        var settings = DoorConnection.settings
        settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
        settings.token = token
        try await DoorServer.run(settings, .grpc, metrics: metrics) { try await body(try await Client($0[0])) }
    }

    /// A connection with SwiftNIO's HTTP/2.
    private struct Client {
        let channel: any Channel
        private let streams: NIOHTTP2Handler.StreamMultiplexer

        init(_ address: ListenAddress) async throws {
            guard case .tcp(let host, let port) = address else { throw ChannelError.connectPending }
            let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            // Before the channel is active: the door sends its settings at that moment.
            (self.channel, self.streams) = try await bootstrap.connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    let streams = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .client, connectionConfiguration: .init(), streamConfiguration: .init()
                    ) { $0.eventLoop.makeSucceededVoidFuture() }
                    return (channel, streams)
                }
            }
        }

        /// Sends frames on a stream of its own and returns what comes back, once the door has ended the stream.
        func send(_ payloads: [HTTP2Frame.FramePayload]) async throws -> Answer {
            let collector = Collector()
            let stream = try await self.streams.createStreamChannel { $0.pipeline.addHandler(collector) }.get()
            for payload in payloads { stream.write(payload, promise: nil) }
            stream.flush()
            try await stream.closeFuture.get()
            return collector.answer
        }

        /// Sends a message with its prefix.
        func send(_ message: [UInt8], headers: HPACKHeaders = GRPCConnection.call) async throws -> Answer {
            try await self.send([
                .headers(.init(headers: headers)), GRPCServerTests.data(GRPCServerTests.framed(message), ends: true),
            ])
        }
    }

    /// What the door has sent on a stream.
    private struct Answer {
        var headers: [HPACKHeaders] = []
        var data: [UInt8] = []

        /// The gRPC status, or the HTTP status if there is none.
        var status: String {
            self.headers.last?.first(name: "grpc-status") ?? "HTTP \(self.headers.last?.first(name: ":status") ?? "-")"
        }
    }

    private final class Collector: ChannelInboundHandler, Sendable {
        typealias InboundIn = HTTP2Frame.FramePayload
        private let received = Mutex(Answer())

        var answer: Answer { self.received.withLock { $0 } }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch self.unwrapInboundIn(data) {
            case .headers(let part): self.received.withLock { $0.headers.append(part.headers) }
            case .data(let part):
                guard case .byteBuffer(let bytes) = part.data else { return }
                self.received.withLock { $0.data += Array(bytes.readableBytesView) }
            default: break
            }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private static func framed(_ message: [UInt8]) -> [UInt8] {
        [0] + (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (24 - 8 * $0)) } + message
    }

    private static func data(_ bytes: [UInt8], ends: Bool) -> HTTP2Frame.FramePayload {
        .data(.init(data: .byteBuffer(ByteBuffer(bytes: bytes)), endStream: ends))
    }

    @Test("Calls on one connection are answered, whatever the decision and however the message is split")
    func calls() async throws {
        let metrics = CountingMetrics()
        try await self.serve(metrics: metrics) { client in
            for (key, response) in CheckMessages.responses {
                let answer = try await client.send(CheckMessages.request([("x-session", key)]))
                #expect(answer.status == "0" && answer.data == Self.framed(response), "\(key)")
                #expect(answer.headers.first?.first(name: "content-type") == "application/grpc")
            }
            let framed = Self.framed(CheckMessages.map)
            let parts = [0..<1, 1..<6, 6..<framed.count].map { Self.data(Array(framed[$0]), ends: false) }
            let answer = try await client.send(
                [.headers(.init(headers: GRPCConnection.call))] + parts + [Self.data([], ends: true)])
            #expect(answer.data == CheckMessages.responses["good"].map(Self.framed))
        }
        #expect(
            metrics.all == [
                "sluice_gateway_decisions grpc allowed": 2, "sluice_gateway_decisions grpc missing": 1,
                "sluice_gateway_decisions grpc absent": 1, "sluice_gateway_decisions grpc refused": 1,
                "sluice_gateway_decisions grpc stale": 1,
            ])
    }

    @Test("A call that is not a Check gets an error, and the connection goes on")
    func errors() async throws {
        let message = CheckMessages.map
        func headers(_ name: String, _ value: String) -> HPACKHeaders {
            // In the same place, because pseudo headers come first.
            HPACKHeaders(GRPCConnection.call.map { ($0.name, $0.name == name ? value : $0.value) })
        }
        try await self.serve { client in
            #expect(try await client.send(message, headers: headers(":path", "/other")).status == "12")
            #expect(try await client.send(message, headers: headers("content-type", "text/plain")).status == "HTTP 415")
            #expect(try await client.send([0x0A]).status == "3")
            #expect(
                try await client.send([.headers(.init(headers: GRPCConnection.call, endStream: true))]).status == "3")
            var compressed = Self.framed(message)
            compressed[0] = 1
            var short = Self.framed(message)
            short[4] -= 1
            for (bytes, status) in [(compressed, "12"), (short, "3"), (short + short, "3")] {
                let answer = try await client.send([
                    .headers(.init(headers: GRPCConnection.call)), Self.data(bytes, ends: true),
                ])
                #expect(answer.status == status && answer.data.isEmpty)
            }
            #expect(try await client.send(message).status == "0")
        }
    }

    @Test("A message beyond the limit ends its call only")
    func large() async throws {
        let metrics = CountingMetrics()
        try await self.serve(metrics: metrics) { client in
            let large = [UInt8](repeating: 0, count: GatewayLimits.messageBytes)
            let refused = try await client.send(large)
            let answered = try await client.send(CheckMessages.map)
            #expect(refused.data.isEmpty && answered.status == "0")
        }
        #expect(metrics.all["sluice_gateway_refusals grpc body"] == 1)
    }

    @Test("Without the exact token, a call gets no decision")
    func token() async throws {
        let token = "correct-horse-battery"
        let metrics = CountingMetrics()
        try await self.serve(token: token, metrics: metrics) { client in
            for (tokens, status) in [([], "16"), (["wrong"], "16"), ([token, token], "16"), ([token], "0")] {
                var headers = GRPCConnection.call
                for token in tokens { headers.add(name: "x-sluice-token", value: token) }
                let answer = try await client.send(CheckMessages.map, headers: headers)
                #expect(answer.status == status, "\(tokens)")
            }
        }
        #expect(metrics.all["sluice_gateway_decisions grpc allowed"] == 1)
        #expect(metrics.all["sluice_gateway_refusals grpc unauthorized"] == 3)
    }

    @Test("A shutdown ends idle connections")
    func shutdown() async throws {
        var channel: (any Channel)?
        try await self.serve { client in
            let answer = try await client.send(CheckMessages.map)
            #expect(answer.status == "0")
            channel = client.channel
        }
        try await channel?.closeFuture.get()
    }
}
