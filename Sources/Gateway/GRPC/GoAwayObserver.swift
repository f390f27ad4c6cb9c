import NIOCore

/// Notes whether the HTTP/2 codec, which stands behind it, has ended the connection with an error.
///
/// The codec reports errors of a connection and of a single call by the same types. It sends GOAWAY for
/// the former only, before it reports the error.
final class GoAwayObserver: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The layout of a frame.
    ///
    /// Source: https://www.rfc-editor.org/rfc/rfc9113#section-4.1 and section 6.8
    private enum Frame {
        static let headBytes = 9
        static let goAway: UInt8 = 7
        static let codeOffset = headBytes + 4
    }

    /// Whether GOAWAY with another code than NO_ERROR was written.
    private(set) var hasFailed = false
    /// Bytes of the latest frame that have not been written yet: the codec writes the contents of DATA on their own.
    private var rest = 0

    /// Reads the heads of the frames, and passes them on.
    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let buffer = self.unwrapOutboundIn(data)
        self.read(buffer)
        context.write(data, promise: promise)
    }

    private func read(_ buffer: ByteBuffer) {
        var position = buffer.readerIndex + self.rest
        while position < buffer.writerIndex {
            // The length and the type. The codec writes each head as a whole.
            guard let word = buffer.getInteger(at: position, as: UInt32.self) else { return }
            let type = UInt8(truncatingIfNeeded: word)
            if type == Frame.goAway, let code = buffer.getInteger(at: position + Frame.codeOffset, as: UInt32.self),
                code != 0
            {
                self.hasFailed = true
            }
            position += Frame.headBytes + Int(word >> 8)
        }
        self.rest = position - buffer.writerIndex
    }
}
