import NIOCore
import NIOHPACK
import NIOHTTP2

/// A connection of the gRPC door, behind the HTTP/2 codec: counts its calls, and closes it when its time is up.
final class GRPCConnectionHandler: ChannelDuplexHandler, DoorConnectionHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = Never
    typealias OutboundIn = Never
    typealias OutboundOut = HTTP2Frame

    /// Answers the calls.
    private var door: GRPCDoor
    /// The state of the thread.
    let loop: DoorLoop
    /// The metrics of the door.
    let metrics: GatewayMetrics
    private var state: DoorConnectionState
    /// Knows whether the codec has ended the connection.
    private let goAway = GoAwayObserver()
    /// The context while the channel is active.
    private var context: ChannelHandlerContext?
    /// The calls in flight.
    private var streams: [ObjectIdentifier: GRPCStreamHandler] = [:]
    /// Whether the connection ends with its last call.
    private var isClosing = false
    /// Whether a call was answered.
    private var isProven = false
    /// Whether the connection ends because of an error.
    private var hasFailed = false
    /// Bytes of the incomplete messages of all calls.
    private var messageBytes = 0

    /// Creates the handler of a connection that has entered `connections`.
    init(_ parts: GRPCDoorParts, _ loop: DoorLoop, _ connections: DoorConnections, _ metrics: GatewayMetrics) {
        self.door = GRPCDoor(parts)
        self.loop = loop
        self.metrics = metrics
        self.state = DoorConnectionState(loop, connections)
    }

    /// Adds the HTTP/2 codec and this handler to a channel, on its event loop.
    ///
    /// - Parameters:
    ///   - channel: The channel of a new connection.
    ///   - floodTime: The time in which frames that ask for nothing are counted.
    /// - Throws: An error if the channel is closed.
    func add(to channel: any Channel, floodTime: TimeAmount = GatewayLimits.floodTime) throws {
        var connection = NIOHTTP2Handler.ConnectionConfiguration()
        connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: GatewayLimits.streams),
            HTTP2Setting(parameter: .maxHeaderListSize, value: GatewayLimits.headerFieldBytes),
        ]
        connection.controlFrameRateLimit.maximumCount = GatewayLimits.floodFrames
        connection.controlFrameRateLimit.windowLength = floodTime
        // The door can reset all calls in flight together; frames for them may still come.
        connection.maximumRecentlyResetStreams = GatewayLimits.streams
        // Errors of calls in the whole life of the connection; only their rate is limited.
        connection.maximumConnectionGlitches = .max
        var streams = NIOHTTP2Handler.StreamConfiguration()
        streams.streamResetFrameRateLimit.maximumCount = GatewayLimits.floodFrames
        streams.streamResetFrameRateLimit.windowLength = floodTime
        streams.streamErrorRateLimit.maximumCount = GatewayLimits.floodFrames
        streams.streamErrorRateLimit.windowLength = floodTime
        let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandler(self.goAway)
        _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
            mode: .server, connectionConfiguration: connection, streamConfiguration: streams
        ) { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(GRPCStreamHandler(bound.value))
            }
        }
        try channel.pipeline.syncOperations.addHandler(self)
    }

    /// Registers the connection.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.state.enter(self)
    }

    /// Removes the connection.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.leave()
    }

    /// Removes the connection.
    func channelInactive(context: ChannelHandlerContext) {
        self.leave()
        context.fireChannelInactive()
    }

    /// Ignores the frames of the connection itself, which the codec has handled.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

    /// Postpones a read while responses wait for the client.
    func read(context: ChannelHandlerContext) {
        if self.state.mayRead(context.channel.isWritable) { context.read() }
    }

    /// Continues to read.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if self.state.releaseRead(context.channel.isWritable) { context.read() }
    }

    /// Closes the connection: the client breaks the rules or limits of HTTP/2, or the socket or TLS has failed.
    ///
    /// The codec also reports errors of a single call, which end only that call. It has sent GOAWAY only if the error is
    /// one of the connection; the types of both overlap.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is any NIOHTTP2Error, !self.goAway.hasFailed {
            // The client has cancelled the call before the response was written, or has started it after GOAWAY.
            let isUsual =
                error is NIOHTTP2Errors.StreamError || error is NIOHTTP2Errors.StreamClosed
                || error is NIOHTTP2Errors.NoSuchStream
            if !isUsual { self.metrics.count(.malformed) }
            return
        }
        if !self.hasFailed, error is any NIOHTTP2Error { self.metrics.count(.malformed) }
        self.hasFailed = true
        context.close(promise: nil)
    }

    // MARK: Calls

    /// Whether a call carries the token, if one is required.
    func isAuthorized(_ headers: HPACKHeaders) -> Bool { self.door.isAuthorized(headers["x-sluice-token"]) }

    /// Decides about the message of a call; see `GRPCDoor.answer`.
    func answer(_ message: Span<UInt8>, into output: inout [UInt8]) -> GatewayDecision? {
        let decision = self.door.answer(message, into: &output)
        if decision != nil { self.isProven = true }
        return decision
    }

    /// Reserves memory for a part of a message; returns `false` if the incomplete messages of the connection have too
    /// many bytes.
    func reserve(_ bytes: Int) -> Bool {
        guard self.messageBytes + bytes <= GatewayLimits.pendingMessageBytes else { return false }
        self.messageBytes += bytes
        return true
    }

    /// Gives the memory of a message back.
    func release(_ bytes: Int) {
        self.messageBytes -= bytes
    }

    /// Registers a call.
    func begin(_ stream: GRPCStreamHandler) {
        self.streams[ObjectIdentifier(stream)] = stream
    }

    /// Removes a call that has ended.
    func end(_ stream: GRPCStreamHandler) {
        guard self.streams.removeValue(forKey: ObjectIdentifier(stream)) != nil else { return }
        self.state.touch()
        if self.isClosing, self.streams.isEmpty { self.context?.close(promise: nil) }
    }

    // MARK: The end

    /// Ends the calls whose clients are too slow, and closes a connection that has been idle for too long.
    func closeIfLate() {
        guard let context else { return }
        if !context.channel.isWritable, self.state.isIdle(for: GatewayLimits.requestSeconds) {
            return context.close(promise: nil)
        }
        if !self.streams.isEmpty {
            for stream in Array(self.streams.values) { stream.closeIfLate() }
            return
        }
        let limit = self.isProven ? GatewayLimits.idleSeconds : GatewayLimits.requestSeconds
        if self.state.isIdle(for: limit) { self.closeGracefully(context) }
    }

    /// Closes the connection as soon as no call is in flight.
    func closeIfIdle() {
        guard let context else { return }
        self.closeGracefully(context)
    }

    /// Asks the client for no more calls, and closes the connection after those in flight.
    private func closeGracefully(_ context: ChannelHandlerContext) {
        guard !self.isClosing else { return }
        self.isClosing = true
        let frame = HTTP2Frame(
            streamID: .rootStream,
            payload: .goAway(lastStreamID: .maxID, errorCode: .noError, opaqueData: nil))
        context.writeAndFlush(self.wrapOutboundOut(frame), promise: nil)
        if self.streams.isEmpty { context.close(promise: nil) }
    }

    private func leave() {
        if self.state.leave(self) { self.context = nil }
    }
}
