import NIOCore
import RESP

/// The requests and replies of a connection of the Redis door, without I/O: parses received bytes and answers them.
struct RedisPipeline: ~Copyable {
    /// Why answering has stopped.
    enum Stop: Sendable {
        /// All requests that have arrived whole were answered.
        case done
        /// The replies have `RedisLimits.flushBytes`.
        case full
        /// Other connections have their turn.
        case turn
        /// The connection ends behind the replies.
        case close
    }

    /// The state of the client.
    var connection: RedisDoorConnection
    /// The replies that have not been written.
    var output = ByteBuffer()
    /// Whether a request has begun to arrive.
    private(set) var isPartial = false
    /// Received bytes that have not been parsed.
    private var input = ByteBuffer()
    private var reader = RESPReader(limits: RedisLimits.request)

    /// Creates the pipeline of a new connection.
    init(_ connection: consuming RedisDoorConnection) {
        self.connection = connection
    }

    /// Takes received bytes.
    mutating func receive(_ bytes: consuming ByteBuffer) {
        if self.input.readableBytes == 0 { self.input = bytes } else { self.input.writeBuffer(&bytes) }
    }

    /// Discards received bytes.
    mutating func discard() {
        self.input = ByteBuffer()
    }

    /// Writes invalidations or messages behind the replies.
    mutating func push(_ body: (borrowing RedisDoorConnection, inout ByteBuffer) -> Void) {
        body(self.connection, &self.output)
    }

    /// Takes the output out, to be written.
    mutating func takeOutput() -> ByteBuffer {
        let output = self.output
        self.output = ByteBuffer()
        return output
    }

    /// Takes the memory of written output back.
    mutating func reuse(_ written: consuming ByteBuffer) {
        // Replies have been written meanwhile, or a long reply has made it large.
        guard self.output.readableBytes == 0, written.capacity <= 2 * RedisLimits.flushBytes else { return }
        self.output = written
        self.output.clear()
    }

    /// Drops the bytes of the output that were written, so that it does not grow.
    mutating func trimOutput() {
        if self.output.readableBytes == 0 {
            // Keeps the memory, unless a long reply has made it large.
            if self.output.capacity > 2 * RedisLimits.flushBytes {
                self.output = ByteBuffer()
            } else {
                self.output.clear()
            }
        } else if self.output.readerIndex >= max(self.output.readableBytes, RedisLimits.flushBytes) {
            // Moves at most as many bytes as were written.
            self.output.discardReadBytes()
        }
    }

    /// Answers requests.
    ///
    /// - Parameter left: The number of commands that may still be answered in this turn.
    /// - Returns: Why it has stopped.
    /// - Throws: An error if the input is not RESP or exceeds a limit.
    mutating func answer(_ left: inout Int) throws(RESPError) -> Stop {
        while true {
            if left == 0 { return .turn }
            while let next = try self.reader.next() {
                // Nothing of the reply is kept, so nothing refers to it when it is recycled.
                nonisolated(unsafe) let request = next
                let step = unsafe self.connection.answer(request, into: &self.output)
                unsafe self.reader.recycle(request)
                self.isPartial = self.reader.unreadBytes > 0
                if step == .close { return .close }
                left -= 1
                if self.output.readableBytes >= RedisLimits.flushBytes { return .full }
                if left == 0 { return .turn }
            }
            let count = min(self.input.readableBytes, RedisLimits.feedBytes)
            guard count > 0, let piece = self.input.readSlice(length: count) else {
                // Lets the shell use the memory for its next read.
                self.input = ByteBuffer()
                return .done
            }
            self.isPartial = true
            try self.feed(piece)
        }
    }

    private mutating func feed(_ piece: ByteBuffer) throws(RESPError) {
        let fed = unsafe piece.withUnsafeReadableBytes { bytes in
            Result { () throws(RESPError) in unsafe try self.reader.feed(bytes) }
        }
        try fed.get()
    }
}
