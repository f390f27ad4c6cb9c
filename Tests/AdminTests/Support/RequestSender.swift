import NIOCore

/// Sends a request as soon as the connection is established.
final class RequestSender: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: String
    private let sent: EventLoopPromise<Void>?

    /// Creates a handler for one connection.
    ///
    /// - Parameters:
    ///   - request: What to send.
    ///   - sent: Completed when all of it is sent, or the connection is lost.
    init(_ request: String, _ sent: EventLoopPromise<Void>? = nil) {
        self.request = request
        self.sent = sent
    }

    func channelActive(context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: self.request)), promise: self.sent)
        context.fireChannelActive()
    }
}
