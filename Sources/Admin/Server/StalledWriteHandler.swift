import NIOCore

/// Closes a connection whose client has stopped reading: it would hold a response, and a shutdown, for ever.
final class StalledWriteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private var timer: CloseTimer

    /// Makes a handler that waits this long for the client to read on.
    init(limit: TimeAmount) {
        self.timer = CloseTimer(limit: limit)
    }

    /// Starts the clock where the buffers are full, stops it where there is room again.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.timer.stop() } else { self.timer.start(context) }
        context.fireChannelWritabilityChanged()
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
