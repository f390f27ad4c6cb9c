import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes too long to send a request: each piece of a slowly arriving body restarts the
/// idle clock, so it could hold the connection forever.
///
/// It is placed after the decoder, so its clock starts when the headers are complete; before that, the idle clock
/// applies.
final class SlowRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private var timer: CloseTimer

    /// Creates a handler that waits this long for the end of a request after its headers.
    init(limit: TimeAmount) {
        self.timer = CloseTimer(limit: limit)
    }

    /// Starts the clock at a request's headers, stops it at its end.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head: self.timer.start(context)
        case .body: break
        case .end: self.timer.stop()
        }
        context.fireChannelRead(data)
    }

    /// Stops the clock.
    func channelInactive(context: ChannelHandlerContext) {
        self.timer.stop()
        context.fireChannelInactive()
    }

    /// Stops the clock.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.timer.stop()
    }
}
