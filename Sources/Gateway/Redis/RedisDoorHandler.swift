import NIOCore

/// An encrypted connection of the Redis door: the channel decrypts, and buffers the replies that the client has not
/// taken.
final class RedisDoorHandler: ChannelDuplexHandler, RedisDoorShell {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var core: RedisDoorCore
    /// The context while the channel is active.
    private var context: ChannelHandlerContext?

    /// Creates the handler of a connection that has entered the door's connections.
    init(_ parts: RedisDoorParts, _ loop: RedisDoorLoop, _ metrics: RedisMetrics) {
        self.core = RedisDoorCore(parts, loop, metrics)
    }

    /// Registers the connection.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.core.enter(self)
    }

    /// Removes the connection.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.leave()
    }

    /// Removes the connection.
    func channelInactive(context: ChannelHandlerContext) {
        self.leave()
    }

    /// Answers the requests of a read.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.core.receive(self.unwrapInboundIn(data))
        self.perform()
    }

    /// Postpones a read while requests wait.
    func read(context: ChannelHandlerContext) {
        if self.core.mayRead() { context.read() }
    }

    /// Continues when the client has taken its replies.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.core.setWritable(context.channel.isWritable)
        self.perform()
    }

    /// Closes the connection: the socket or TLS has failed.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Actions

    /// Passes the core to `body`.
    func withCore<R>(_ body: (inout RedisDoorCore) -> R) -> R { body(&self.core) }

    /// Passes the output to the channel.
    func write() {
        // Taken out before the write: the channel may report in the middle of it that the client has taken replies.
        let output = self.core.pipeline.takeOutput()
        self.context?.writeAndFlush(self.wrapOutboundOut(output), promise: nil)
        self.core.pipeline.reuse(output)
        if let context { self.core.setWritable(context.channel.isWritable) }
    }

    /// Ends the output.
    func endOutput() {
        // The channel writes pending bytes before it closes the output.
        self.context?.close(mode: .output, promise: nil)
    }

    /// Continues in a later task of the event loop.
    func yield() {
        self.context?.eventLoop.assumeIsolated().execute { self.resume() }
    }

    /// Closes the channel.
    func close() {
        self.context?.close(promise: nil)
    }

    /// Releases a read that was held back.
    func settle() {
        guard let context, self.core.releaseRead() else { return }
        context.read()
    }

    /// The bytes in the channel.
    var waitingBytes: Int { (try? self.context?.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0 }

    private func leave() {
        self.core.leave(self)
        self.context = nil
    }
}
