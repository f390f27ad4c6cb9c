import NIOCore

/// Closes a connection whose client has stopped reading: it would hold a response, and a shutdown, for ever.
final class StalledWriteHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny
    typealias InboundOut = NIOAny

    private let limit: TimeAmount
    private var deadline: Scheduled<Void>?

    /// Makes a handler that waits this long for the client to read on.
    init(limit: TimeAmount) {
        self.limit = limit
    }

    /// Starts the clock where the buffers are full, stops it where there is room again.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        self.deadline = nil
        if !context.channel.isWritable {
            self.deadline = context.eventLoop.assumeIsolated().scheduleTask(in: self.limit) {
                context.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    /// Stops the clock.
    func channelInactive(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        self.deadline = nil
        context.fireChannelInactive()
    }

    /// Stops the clock.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.deadline?.cancel()
        self.deadline = nil
    }
}
