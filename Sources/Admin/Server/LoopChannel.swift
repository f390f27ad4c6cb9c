import HummingbirdCore
import Logging
import NIOCore

/// Runs the handling of connections on their event loop, so that requests are answered on the server's own thread and
/// never occupy a thread that reads the stream.
///
/// Only connections are handled this way: the library's other tasks must not run with an executor preference. Its clock
/// merges two sequences, and the merge waits for its task's state under a lock that a cancellation takes while it holds
/// that state (swift-async-algorithms, issue 430): a server that was cancelled during its start did not end.
struct LoopChannel<Base: ServerChildChannel>: ServerChildChannel {
    private let base: Base
    private let prepare: @Sendable (any Channel) throws -> Void
    private let executor: LoopExecutor

    /// Creates a channel that does what `base` does on `loop`, which must be the only event loop. `prepare` is called
    /// with each connection that `base` has set up, before anything is read from it.
    init(_ base: Base, on loop: any EventLoop, prepare: @escaping @Sendable (any Channel) throws -> Void) {
        self.base = base
        self.prepare = prepare
        self.executor = LoopExecutor(loop)
    }

    /// Sets up a connection, on its loop.
    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Base.Value> {
        self.base.setup(channel: channel, logger: logger).flatMapThrowing { value in
            try self.prepare(channel)
            return value
        }
    }

    /// Answers a connection's requests until it ends.
    func handle(value: Base.Value, logger: Logger) async {
        await withTaskExecutorPreference(self.executor) { await self.base.handle(value: value, logger: logger) }
    }
}

/// Runs tasks on an event loop.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    /// Creates an executor; no task may be left on it when the loop ends.
    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    /// Runs a job on the loop's thread.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Unsafe, as a job must be run exactly once: the loop runs each submitted closure once.
        self.loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
