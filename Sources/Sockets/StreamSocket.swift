import CEpoll
package import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A connected socket that never blocks; closed at the latest when its lifetime ends.
///
/// Calls that a signal has interrupted are not repeated here: the poller reports the event again.
package struct StreamSocket: ~Copyable {
    /// The result of a read.
    package enum Received: Sendable {
        /// Bytes have arrived.
        case bytes
        /// Nothing has arrived.
        case nothing
        /// The other side has ended its output, or the connection has failed.
        case end
    }

    /// The result of a write.
    package enum Sent: Sendable {
        /// The system has taken everything.
        case all
        /// The system takes no more for now.
        case part
        /// The connection has failed.
        case failed
    }

    /// The descriptor, or -1 after `end`.
    package private(set) var descriptor: Int32

    /// Takes over a descriptor of an accepted connection.
    package init(_ descriptor: Int32) {
        self.descriptor = descriptor
        // Without effect on Unix sockets. An idle connection whose client is gone does not stay for ever.
        _ = sluiceKeepAlive(descriptor)
        _ = sluiceSendImmediately(descriptor)
    }

    deinit {
        if self.descriptor >= 0 { close(self.descriptor) }
    }

    /// Whether the socket is open.
    package var isOpen: Bool { self.descriptor >= 0 }

    /// Replaces the contents of a buffer by received bytes, `maximum` at most.
    package func receive(into buffer: inout ByteBuffer, maximum: Int) -> Received {
        buffer.clear()
        var result = 0
        unsafe buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: maximum) { memory in
            // The system writes no more bytes than the memory has.
            result = unsafe recv(self.descriptor, memory.baseAddress, min(memory.count, maximum), 0)
            return max(0, result)
        }
        if result > 0 { return .bytes }
        return result < 0 && (errno == EAGAIN || errno == EINTR) ? .nothing : .end
    }

    /// Sends the readable bytes of a buffer, and removes those that the system has taken.
    package func send(_ buffer: inout ByteBuffer) -> Sent {
        let count = unsafe buffer.withUnsafeReadableBytes {
            unsafe sluiceSend(self.descriptor, $0.baseAddress, $0.count)
        }
        guard count >= 0 else { return errno == EAGAIN || errno == EINTR ? .part : .failed }
        buffer.moveReaderIndex(forwardBy: count)
        return buffer.readableBytes == 0 ? .all : .part
    }

    /// Ends the output, behind the bytes that were sent.
    package func endOutput() {
        // Fails only if the connection has ended, which the next read finds.
        _ = sluiceEndOutput(self.descriptor)
    }

    /// Closes the socket.
    package mutating func end() {
        guard self.isOpen else { return }
        close(self.descriptor)
        self.descriptor = -1
    }

    /// Closes the descriptor of a connection that is not served.
    package static func refuse(_ descriptor: Int32) {
        close(descriptor)
    }
}
