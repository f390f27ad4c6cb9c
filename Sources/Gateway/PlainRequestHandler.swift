import NIOCore

/// Reads plain requests of a connection and has them answered; leaves the connection to the codec behind it as soon as
/// another request arrives.
final class PlainRequestHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let door: HTTPDoorHandler
    /// The beginning of a head.
    private var held: ByteBuffer?
    /// The number of reads that have ended within the head.
    private var reads = 0
    /// Whether the codec reads the connection.
    private var isHandedOver = false

    /// Creates a reader in front of a door.
    init(_ door: HTTPDoorHandler) {
        self.door = door
    }

    /// Answers the requests of a read.
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.isHandedOver { return context.fireChannelRead(data) }
        var buffer = self.unwrapInboundIn(data)
        if var held = self.held.take() {
            held.writeBuffer(&buffer)
            buffer = held
        }
        while buffer.readableBytes > 0 {
            switch self.door.answerPlain(buffer.readableBytesUInt8Span) {
            case .complete(let count):
                buffer.moveReaderIndex(forwardBy: count)
                self.reads = 0
            case .partial where self.reads < GatewayLimits.plainReads:
                self.reads += 1
                self.held = buffer
                return
            case .partial, .other:
                self.isHandedOver = true
                return context.fireChannelRead(self.wrapInboundOut(buffer))
            }
        }
    }
}
