import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// An HTTPS server that answers 200 to everything and remembers what clients have sent it behind the handshake.
final class TLSServer: Sendable {
    /// Its port on the loopback address.
    let port: Int
    private let received: Received

    /// What came, deciphered.
    var text: String { self.received.text.withLock { $0 } }

    private final class Received: Sendable {
        let text = Mutex("")
    }

    private final class Answerer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let received: Received

        init(_ received: Received) { self.received = received }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let piece = String(buffer: self.unwrapInboundIn(data))
            self.received.text.withLock { $0 += piece }
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
        }

        // A client that does not like the certificate says so: that is what the tests are about.
        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private init(_ port: Int, _ received: Received) {
        self.port = port
        self.received = received
    }

    /// Lends a server that shows a certificate of the test's and speaks TLS up to a version.
    static func with<R>(
        _ certificates: TestCertificates, showing certificate: String, upTo version: TLSVersion? = nil,
        _ body: (TLSServer) async throws -> R
    ) async throws -> R {
        let chain = try NIOSSLCertificate.fromPEMFile(certificates.path("\(certificate).crt"))
        let key = try NIOSSLPrivateKey(file: certificates.path("\(certificate).key"), format: .pem)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
        configuration.minimumTLSVersion = .tlsv1
        configuration.maximumTLSVersion = version
        let context = try NIOSSLContext(configuration: configuration)
        let received = Received()
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                    try channel.pipeline.syncOperations.addHandler(Answerer(received))
                }
            }.bind(host: "127.0.0.1", port: 0).get()
        let result: Result<R, any Error>
        do {
            result = .success(try await body(TLSServer(channel.localAddress?.port ?? 0, received)))
        } catch {
            result = .failure(error)
        }
        try await channel.close().get()
        return try result.get()
    }
}
