import Dispatch
import NIOCore
import Synchronization

/// Carries pieces of an export from a thread that may block to a connection that may be slow.
///
/// The writer's thread blocks while it is `AdminLimits.exportChunksAhead` pieces ahead; the reader, a task, waits while
/// there are no pieces.
final class ChunkPipe: Sendable {
    /// Thrown to the writer when the reader has gone.
    struct Closed: Error {}

    /// The pieces in order; ends when the writer finishes or the pipe is closed.
    let chunks: AsyncStream<ByteBuffer>

    private let continuation: AsyncStream<ByteBuffer>.Continuation
    private let room = DispatchSemaphore(value: 0)
    private let isClosed = Atomic<Bool>(false)

    /// Creates an empty pipe.
    init() {
        // Bounded by `room` and not by the buffering policy, which would drop pieces.
        (self.chunks, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
        // Signalled here and not created with this value: a semaphore must not be deallocated while it is below its initial
        // value.
        for _ in 0..<AdminLimits.exportChunksAhead { self.room.signal() }
    }

    /// Passes on a piece as soon as there is room. Blocks, so it must only be called on threads that may block.
    ///
    /// - Throws: `Closed` if the reader has gone.
    func write(_ chunk: ByteBuffer) throws(Closed) {
        self.room.wait()
        if self.isClosed.load(ordering: .acquiring) { throw Closed() }
        self.continuation.yield(chunk)
    }

    /// Ends the sequence of pieces.
    func finish() {
        self.continuation.finish()
    }

    /// Makes room for one more piece, after the reader has processed one.
    func advance() {
        self.room.signal()
    }

    /// Closes the pipe from the reader's side: pending and later writes fail.
    func close() {
        self.isClosed.store(true, ordering: .releasing)
        self.room.signal()
        self.continuation.finish()
    }
}
