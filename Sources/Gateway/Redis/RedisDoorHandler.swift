import NIOCore
import RESP

/// A connection of the Redis door: passes received bytes to `RedisPipeline` and writes the replies.
///
/// The replies to all requests of one read are written together. While the client does not take its replies, nothing is
/// read or executed.
final class RedisDoorHandler: ChannelDuplexHandler, DoorConnectionHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = Never
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The number of the connection.
    let id: UInt64
    private var pipeline: RedisPipeline
    private let loop: RedisDoorLoop
    private let connections: DoorConnections
    private let metrics: RedisMetrics
    private var state: DoorConnectionState
    /// The context while the channel is active.
    private var context: ChannelHandlerContext?
    /// Whether received bytes are left for later: other connections have their turn, or the client has to take replies.
    private var isWaiting = false
    /// Whether requests are being answered, or replies are being passed to the channel. The channel may report in the
    /// middle of it that the client has taken its replies; requests must not be answered from there, because the output
    /// still has the bytes that are being written.
    private var isBusy = false
    /// Whether the channel has become writable meanwhile.
    private var isResumeDue = false
    /// Whether nothing more is answered.
    private var isLast = false
    /// Whether the client has been let in and has sent a command.
    private var isProven = false
    /// Whether the loop passes invalidations or messages.
    private var isTarget = false

    /// Creates the handler of a connection that has entered `connections`.
    init(_ parts: RedisDoorParts, _ loop: RedisDoorLoop, _ metrics: RedisMetrics) {
        self.id = parts.nextID()
        self.pipeline = RedisPipeline(RedisDoorConnection(parts, loop.inbox, id: self.id))
        self.loop = loop
        self.connections = parts.connections
        self.metrics = metrics
        self.state = DoorConnectionState(loop.connections, parts.connections)
    }

    /// Registers the connection.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.state.enter(self)
        self.metrics.setConnections(self.connections.count)
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
        if self.isLast { return }
        self.pipeline.receive(self.unwrapInboundIn(data))
        if !self.isWaiting, !self.isBusy { self.work(context) }
    }

    /// Postpones a read while requests wait.
    func read(context: ChannelHandlerContext) {
        if self.state.mayRead(!self.isWaiting && context.channel.isWritable) { context.read() }
    }

    /// Continues when the client has taken its replies.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard context.channel.isWritable else { return }
        if self.isBusy { self.isResumeDue = true } else { self.resume(context) }
    }

    /// Closes the connection: the socket or TLS has failed.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Requests

    private func work(_ context: ChannelHandlerContext) {
        self.isBusy = true
        let start = NIODeadline.now()
        do throws(RESPError) {
            self.isWaiting = try !self.answer(context)
        } catch {
            self.refuse(error)
        }
        if self.pipeline.connection.tally.commands > 0 { self.note(since: start) }
        self.flush(context)
        self.updateTarget()
        self.endWork(context)
    }

    /// Passes the counts of the commands to the metrics.
    private func note(since start: NIODeadline) {
        let isAuthenticated = self.pipeline.connection.isAuthenticated
        self.isProven = self.isProven || isAuthenticated
        // A request that arrives byte by byte, and a client without a password, do not get more time.
        if self.isProven { self.state.touch() }
        let tally = self.pipeline.connection.tally
        if tally.hasAnswered { self.loop.noteAnswers() }
        self.metrics.count(tally, nanoseconds: (NIODeadline.now() - start).nanoseconds)
        self.pipeline.connection.tally.reset()
    }

    /// Ends a time in which `isBusy` is set, and continues later if the channel has become writable in it.
    private func endWork(_ context: ChannelHandlerContext) {
        self.isBusy = false
        guard self.isResumeDue else { return }
        self.isResumeDue = false
        context.eventLoop.assumeIsolated().execute { self.resume() }
    }

    /// Answers the received requests; returns whether all of them were answered.
    private func answer(_ context: ChannelHandlerContext) throws(RESPError) -> Bool {
        var left = RedisLimits.commandsPerTurn
        while true {
            switch try self.pipeline.answer(&left) {
            case .done: return true
            case .full:
                self.flush(context)
                // `channelWritabilityChanged` continues.
                if !context.channel.isWritable { return false }
            case .turn:
                context.eventLoop.assumeIsolated().execute { self.resume() }
                return false
            case .close:
                self.isLast = true
                return true
            }
        }
    }

    private func resume() {
        if let context { self.resume(context) }
    }

    private func resume(_ context: ChannelHandlerContext) {
        guard !self.isLast, context.channel.isWritable else { return }
        if self.isWaiting { self.work(context) }
        if self.state.releaseRead(!self.isWaiting && context.channel.isWritable) { context.read() }
    }

    private func refuse(_ error: RESPError) {
        self.isLast = true
        self.pipeline.output.writeError("ERR Protocol error: \(error.message)")
        if case .limitExceeded = error.kind {
            self.metrics.door.count(.arguments)
        } else {
            self.metrics.door.count(.malformed)
        }
    }

    // MARK: Output

    private func flush(_ context: ChannelHandlerContext) {
        if self.pipeline.output.readableBytes > 0 {
            context.writeAndFlush(self.wrapOutboundOut(self.pipeline.output), promise: nil)
            self.pipeline.clearOutput()
        }
        guard self.isLast, self.context != nil else { return }
        self.pipeline.discard()
        // The channel writes pending bytes before it closes the output. The client then closes the connection, or its
        // time is up.
        context.close(mode: .output, promise: nil)
    }

    private func updateTarget() {
        let isTarget = self.pipeline.connection.takesPushes && !self.isLast && !self.state.hasLeft
        guard isTarget != self.isTarget else { return }
        self.isTarget = isTarget
        self.loop.setTarget(self, isTarget)
    }

    /// Whether the client has subscriptions.
    var isSubscriber: Bool { self.pipeline.connection.subscriptions > 0 }

    /// Writes invalidations or messages behind the replies.
    func push(_ body: (borrowing RedisDoorConnection, inout ByteBuffer) -> Void) {
        if self.isLast { return }
        self.pipeline.push(body)
        // A long list of changes is not collected for a client that does not take them.
        if self.pipeline.output.readableBytes > RedisLimits.outputBytes { self.flushPushes() }
    }

    /// Passes pushes to the socket; closes the connection of a client that does not take them.
    func flushPushes() {
        guard let context, !self.isLast, self.pipeline.output.readableBytes > 0 else { return }
        self.isBusy = true
        self.flush(context)
        self.endWork(context)
        let waiting = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        if waiting > RedisLimits.outputBytes { self.closeSlow() }
    }

    /// Closes the connection of a client that has missed messages, or does not take invalidations.
    func closeSlow() {
        guard let context, !self.isLast else { return }
        self.isLast = true
        self.metrics.door.count(.slow)
        context.close(promise: nil)
    }

    // MARK: The end

    /// Closes the connection if its client is too slow. As in Redis, a client without a request in flight is never
    /// closed: pools keep idle connections.
    func closeIfLate() {
        guard let context else { return }
        let isLate = self.pipeline.isPartial || self.isLast || !self.isProven || !context.channel.isWritable
        if !isLate {
            self.state.touch()
        } else if self.state.isIdle(for: GatewayLimits.requestSeconds) {
            context.close(promise: nil)
        }
    }

    /// Closes the connection. Requests in flight are answered in the same turn, so there are none.
    func closeIfIdle() {
        self.context?.close(promise: nil)
    }

    private func leave() {
        guard self.state.leave(self) else { return }
        self.context = nil
        self.pipeline.connection.leave()
        self.updateTarget()
        self.metrics.setConnections(self.connections.count)
    }
}
