import NIOCore
import NIOHTTP1

/// A connection of the HTTP door: passes heads to `HTTPDoor`, discards bodies, and writes the responses. The heads of
/// plain requests come from `PlainRequestHandler`, all others from the codec.
///
/// The responses to all requests of one read are written together. While the client does not take its responses, nothing
/// is read.
final class HTTPDoorHandler: ChannelDuplexHandler, DoorConnectionHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = Never
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private var door: HTTPDoor
    private let loop: DoorLoop
    private let metrics: GatewayMetrics
    private var state: DoorConnectionState
    /// The context while the channel is active.
    private var context: ChannelHandlerContext?
    /// The request being received.
    private var inquiry: HTTPDoor.Inquiry?
    private var start = NIODeadline.uptimeNanoseconds(0)
    private var bodyBytes = 0
    private var output = ByteBuffer()
    /// Whether no further request is answered.
    private var isLast = false
    /// Whether a request was answered on the connection.
    private var isProven = false

    /// Creates the handler of a connection that has entered `connections`.
    init(_ parts: HTTPDoorParts, _ loop: DoorLoop, _ connections: DoorConnections, _ metrics: GatewayMetrics) {
        self.door = HTTPDoor(parts)
        self.loop = loop
        self.metrics = metrics
        self.state = DoorConnectionState(loop, connections)
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
    }

    /// Takes a part of a request.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.isLast { return }
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.start = .now()
            self.state.touch()
            self.bodyBytes = 0
            let inquiry = self.door.read(head)
            // Without waiting for it, so that a client which asks for permission does not send it.
            if inquiry.bodyBytes > GatewayLimits.bodyBytes { return self.refuse(413, .body) }
            if inquiry.expectsContinue, inquiry.isAuthorized, head.version == .http1_1 {
                self.output.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
            }
            self.inquiry = inquiry
        case .body(let bytes):
            self.bodyBytes += bytes.readableBytes
            if self.bodyBytes > GatewayLimits.bodyBytes { self.refuse(413, .body) }
        case .end: self.answer()
        }
    }

    /// Answers the plain request that these bytes begin with, if they do.
    func answerPlain(_ bytes: Span<UInt8>) -> PlainRequest {
        // Nothing is answered any more.
        if self.isLast { return .complete(bytes.count) }
        let start = NIODeadline.now()
        let request = self.door.readPlain(bytes)
        guard case .complete = request else { return request }
        self.start = start
        self.state.touch()
        self.inquiry = HTTPDoor.Inquiry(isAuthorized: self.door.isAuthorized, isLast: false, expectsContinue: false)
        self.answer()
        return request
    }

    /// Writes the responses.
    func channelReadComplete(context: ChannelHandlerContext) {
        self.flush(context)
    }

    /// Postpones a read while responses wait for the client.
    func read(context: ChannelHandlerContext) {
        if self.state.mayRead(context.channel.isWritable) { context.read() }
    }

    /// Continues to read.
    func channelWritabilityChanged(context: ChannelHandlerContext) {
        guard self.state.releaseRead(context.channel.isWritable) else { return }
        self.state.touch()
        context.read()
    }

    /// Answers a request that is not HTTP, and closes the connection.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if self.isLast { return }
        guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
        if error == .headerOverflow {
            self.refuse(431, .headers)
        } else if error != .invalidEOFState {
            self.refuse(400, .malformed)
        }
        self.flush(context)
    }

    /// Closes the connection if its client is too slow, or if it has been idle for too long.
    func closeIfLate() {
        guard let context else { return }
        let isWaiting = self.inquiry != nil || self.isLast || !self.isProven || !context.channel.isWritable
        let limit = isWaiting ? GatewayLimits.requestSeconds : GatewayLimits.idleSeconds
        if self.state.isIdle(for: limit) { context.close(promise: nil) }
    }

    /// Closes the connection if no request is in flight.
    func closeIfIdle() {
        guard let context, self.inquiry == nil else { return }
        context.close(promise: nil)
    }

    private func answer() {
        guard let inquiry = self.inquiry.take() else { return }
        let isLast = inquiry.isLast || self.loop.isStopping
        guard let decision = self.door.answer(inquiry, isLast: isLast, into: &self.output) else {
            self.isLast = true
            return self.metrics.count(.unauthorized)
        }
        self.isLast = isLast
        self.isProven = true
        self.metrics.count(decision, nanoseconds: (NIODeadline.now() - self.start).nanoseconds)
    }

    private func refuse(_ status: Int, _ reason: GatewayMetrics.Refusal) {
        self.inquiry = nil
        self.isLast = true
        self.output.writeString(HTTPDoorParts.refusal(status))
        self.metrics.count(reason)
    }

    private func flush(_ context: ChannelHandlerContext) {
        if self.output.readableBytes > 0 {
            context.writeAndFlush(self.wrapOutboundOut(self.output), promise: nil)
            // Reuses the memory if the socket has taken everything.
            self.output.clear()
        }
        guard self.isLast, self.context != nil else { return }
        // After the response: the channel writes pending bytes before it closes the output. The client then closes
        // the connection, or its time is up.
        self.inquiry = nil
        context.close(mode: .output, promise: nil)
    }

    private func leave() {
        if self.state.leave(self) { self.context = nil }
    }
}
