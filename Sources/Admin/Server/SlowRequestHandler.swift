import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes too long to send a request: a body that drips in would hold the connection for
/// ever, as every piece of it starts the idle clock anew.
///
/// Stands behind the decoder, so its clock starts when the headers are there; what drips before is the idle clock's.
final class SlowRequestHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private var timer: CloseTimer

    /// Makes a handler that waits this long for a request's end behind its headers.
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
