import NIOCore

/// Closes a connection whose client has stopped reading; it would block a response, and a shutdown, forever.
final class StalledWriteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private var timer: CloseTimer

    /// Creates a handler that waits this long for the client to read.
    init(limit: TimeAmount) {
        self.timer = CloseTimer(limit: limit)
    }

    /// Starts the timer when the buffers are full, and stops it when there is room again.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.timer.stop() } else { self.timer.start(context) }
        context.fireChannelWritabilityChanged()
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
