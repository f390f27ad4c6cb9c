import Dispatch
import NIOCore
import Synchronization

/// Carries pieces of an export from a thread that may wait to a connection that may be slow.
///
/// The writer's thread waits while it is `AdminLimits.exportChunksAhead` pieces ahead; the reader, in a task, waits
/// while there is none.
final class ChunkPipe: Sendable {
    /// Thrown at the writer when the reader has gone.
    struct Closed: Error {}

    /// The pieces in order; ends when the writer finishes or the pipe is closed.
    let chunks: AsyncStream<ByteBuffer>

    private let continuation: AsyncStream<ByteBuffer>.Continuation
    private let room = DispatchSemaphore(value: 0)
    private let isClosed = Atomic<Bool>(false)

    /// Creates an empty pipe.
    init() {
        // Not bounded by its policy, which would drop pieces, but by `room`.
        (self.chunks, self.continuation) = AsyncStream.makeStream(bufferingPolicy: .unbounded)
        // Raised here, as a semaphore must not go while it is below its first value.
        for _ in 0..<AdminLimits.exportChunksAhead { self.room.signal() }
    }

    /// Passes on a piece as soon as there is room. It blocks, so only threads that may block can call it.
    ///
    /// - Throws: `Closed` if the reader has gone.
    func write(_ chunk: ByteBuffer) throws(Closed) {
        self.room.wait()
        if self.isClosed.load(ordering: .acquiring) { throw Closed() }
        self.continuation.yield(chunk)
    }

    /// Ends the pieces.
    func finish() {
        self.continuation.finish()
    }

    /// Makes room for one more, after the reader has dealt with a piece.
    func advance() {
        self.room.signal()
    }

    /// Closes the pipe from the reader's side: waiting and later writers get an error.
    func close() {
        self.isClosed.store(true, ordering: .releasing)
        self.room.signal()
        self.continuation.finish()
    }
}
