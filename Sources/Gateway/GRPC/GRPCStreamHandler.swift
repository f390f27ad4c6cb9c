import NIOCore
import NIOHPACK
import NIOHTTP2

/// A call at the gRPC door: one message in, one message out.
///
/// Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
final class GRPCStreamHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    /// Bytes before a message: whether it is compressed, and its length.
    private static let prefixBytes = 5

    private let connection: GRPCConnectionHandler
    private let start = NIODeadline.now()
    private let tick: Int
    /// The message with its prefix.
    private var input = ByteBuffer()
    private var hasHeaders = false
    /// Whether the client has sent everything.
    private var isComplete = false
    private var hasAnswered = false
    /// Bytes that are reserved for the message.
    private var reserved = 0
    private var context: ChannelHandlerContext?

    /// Creates the handler of a call.
    init(_ connection: GRPCConnectionHandler) {
        self.connection = connection
        self.tick = connection.loop.tick
    }

    /// Registers the call.
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.connection.begin(self)
    }

    /// Removes the call.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.leave()
    }

    /// Removes the call.
    func channelInactive(context: ChannelHandlerContext) {
        self.leave()
    }

    /// Ends the call: the client has reset it, or has broken a rule of HTTP/2.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Takes a part of the call.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.hasAnswered { return }
        switch self.unwrapInboundIn(data) {
        case .headers(let part):
            self.isComplete = part.endStream
            // Trailers say nothing of interest.
            if !self.hasHeaders { self.check(part.headers, context) }
            if self.isComplete, !self.hasAnswered { self.answer(context) }
        case .data(let part):
            self.isComplete = part.endStream
            guard case .byteBuffer(var bytes) = part.data else { return }
            guard self.reserved + bytes.readableBytes <= GatewayLimits.messageBytes else {
                self.connection.metrics.count(.body)
                return self.fail(.resourceExhausted, "the message has too many bytes", context)
            }
            guard self.connection.reserve(bytes.readableBytes) else {
                self.connection.metrics.count(.body)
                return self.fail(.resourceExhausted, "the incomplete messages have too many bytes", context)
            }
            self.reserved += bytes.readableBytes
            self.input.writeBuffer(&bytes)
            if self.isComplete { self.answer(context) }
        default: break
        }
    }

    /// Ends the call if the client takes too long.
    func closeIfLate() {
        guard let context, self.connection.loop.tick - self.tick > GatewayLimits.requestSeconds else { return }
        context.close(promise: nil)
    }

    private func check(_ headers: HPACKHeaders, _ context: ChannelHandlerContext) {
        self.hasHeaders = true
        let type = headers.first(name: "content-type") ?? ""
        guard type == "application/grpc" || ["+", ";"].contains(where: { type.hasPrefix("application/grpc\($0)") })
        else {
            self.connection.metrics.count(.malformed)
            // As the protocol asks for, so that browsers and proxies understand it.
            return self.end([.headers(.init(headers: [":status": "415"], endStream: true))], context)
        }
        guard self.connection.isAuthorized(headers) else {
            self.connection.metrics.count(.unauthorized)
            return self.fail(.unauthenticated, "x-sluice-token is missing or wrong", context)
        }
        guard headers.first(name: ":path") == GRPCDoor.path else {
            self.connection.metrics.count(.malformed)
            return self.fail(.unimplemented, "the only method is \(GRPCDoor.path)", context)
        }
    }

    /// Answers the message.
    private func answer(_ context: ChannelHandlerContext) {
        guard let isCompressed = self.input.readInteger(as: UInt8.self),
            let length = self.input.readInteger(as: UInt32.self), Int(length) == self.input.readableBytes
        else {
            self.connection.metrics.count(.malformed)
            return self.fail(.invalidArgument, "expected one complete message", context)
        }
        guard isCompressed == 0 else {
            self.connection.metrics.count(.malformed)
            return self.fail(.unimplemented, "messages must not be compressed", context)
        }
        let request = self.input
        var message = [UInt8](repeating: 0, count: Self.prefixBytes)
        guard let decision = self.connection.answer(request.readableBytesUInt8Span, into: &message) else {
            self.connection.metrics.count(.malformed)
            return self.fail(.invalidArgument, "the message is not a CheckRequest", context)
        }
        for index in 1..<Self.prefixBytes {
            message[index] = UInt8(truncatingIfNeeded: (message.count - Self.prefixBytes) >> (8 * (4 - index)))
        }
        self.end(
            [
                .headers(.init(headers: Self.headers)),
                .data(.init(data: .byteBuffer(ByteBuffer(bytes: message)))),
                .headers(.init(headers: ["grpc-status": "\(GRPCStatus.ok.rawValue)"], endStream: true)),
            ], context)
        self.connection.metrics.count(decision, nanoseconds: (NIODeadline.now() - self.start).nanoseconds)
    }

    private static let headers: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]

    /// Ends the call with an error, which a gateway takes for a refusal or a failure, but never for a permission.
    private func fail(_ status: GRPCStatus, _ message: String, _ context: ChannelHandlerContext) {
        var headers = Self.headers
        headers.add(name: "grpc-status", value: "\(status.rawValue)")
        headers.add(name: "grpc-message", value: message)
        self.end([.headers(.init(headers: headers, endStream: true))], context)
    }

    private func end(_ payloads: [HTTP2Frame.FramePayload], _ context: ChannelHandlerContext) {
        self.hasAnswered = true
        self.forgetMessage()
        for payload in payloads { context.write(self.wrapOutboundOut(payload), promise: nil) }
        context.flush()
        // Resets the call: the rest of it is not wanted.
        if !self.isComplete { context.close(promise: nil) }
    }

    private func forgetMessage() {
        self.connection.release(self.reserved)
        self.reserved = 0
        self.input = ByteBuffer()
    }

    private func leave() {
        self.context = nil
        self.forgetMessage()
        self.connection.end(self)
    }
}
