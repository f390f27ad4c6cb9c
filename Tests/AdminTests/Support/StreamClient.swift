import Admin
import HTTPBase
import NIOCore
import NIOPosix

/// A client that reads a response that does not end, as far as it wants.
enum StreamClient {
    /// Asks for a target and reads until `isEnough` says so of all the text so far, or the server closes.
    static func read(
        _ address: ListenAddress, _ target: String, headers: [String] = [],
        until isEnough: (String) async throws -> Bool
    ) async throws -> String {
        let group = MultiThreadedEventLoopGroup.singleton
        let (pieces, continuation) = AsyncStream.makeStream(of: String.self)
        let lines = ["GET \(target) HTTP/1.1", "Host: localhost"] + headers
        let request = lines.joined(separator: "\r\n") + "\r\n\r\n"
        let bootstrap = ClientBootstrap(group: group).channelInitializer { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandlers([RequestSender(request), Forwarder(continuation)])
            }
        }
        let channel: any Channel
        switch address {
        case .tcp(let host, let port): channel = try await bootstrap.connect(host: host, port: port).get()
        case .unix(let path): channel = try await bootstrap.connect(unixDomainSocketPath: path).get()
        case .off: throw ChannelError.connectPending
        }
        var text = ""
        for await piece in pieces {
            text += piece
            if try await isEnough(text) { break }
        }
        try? await channel.close().get()
        return text
    }

    private final class Forwarder: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let continuation: AsyncStream<String>.Continuation

        init(_ continuation: AsyncStream<String>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            self.continuation.yield(String(buffer: self.unwrapInboundIn(data)))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }

        func handlerRemoved(context: ChannelHandlerContext) {
            self.continuation.finish()
        }
    }
}
