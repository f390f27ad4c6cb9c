import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes too long to send a request: each piece of a slowly arriving body restarts the
/// idle timer, so the client could hold the connection forever.
///
/// It is placed after the decoder, so its timer starts when the headers are complete; before that, the idle timer
/// applies.
final class SlowRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private var timer: CloseTimer

    /// Creates a handler that allows this much time between a request's headers and its end.
    init(limit: TimeAmount) {
        self.timer = CloseTimer(limit: limit)
    }

    /// Starts the timer at a request's headers, and stops it at the request's end.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head: self.timer.start(context)
        case .body: break
        case .end: self.timer.stop()
        }
        context.fireChannelRead(data)
    }

    /// Stops the timer.
    func channelInactive(context: ChannelHandlerContext) {
        self.timer.stop()
        context.fireChannelInactive()
    }

    /// Stops the timer.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer.stop()
    }
}
