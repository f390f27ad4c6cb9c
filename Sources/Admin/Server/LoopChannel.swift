import HummingbirdCore
import Logging
import NIOCore

/// Has connections handled on their event loop, so that requests are answered on the server's own thread and never take
/// one of those that the stream is read on.
///
/// Connections alone: what the library does beside them must not run under a preference for an executor. Its clock merges
/// two sequences, and the merge waits for its task's state under a lock that a cancellation takes while it holds that
/// state (swift-async-algorithms, issue 430): a server that was cancelled while it started did not end.
struct LoopChannel<Base: ServerChildChannel>: ServerChildChannel {
    private let base: Base
    private let prepare: @Sendable (any Channel) throws -> Void
    private let executor: LoopExecutor

    /// Makes a channel that does what `base` does on `loop`, which is to be the only one there is. `prepare` is called with
    /// each connection that `base` has set up, before anything is read from it.
    init(_ base: Base, on loop: any EventLoop, prepare: @escaping @Sendable (any Channel) throws -> Void) {
        self.base = base
        self.prepare = prepare
        self.executor = LoopExecutor(loop)
    }

    /// Sets a connection up, on its loop.
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

    /// Makes an executor; no task may be left on it when the loop ends.
    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    /// Runs a job on the loop's thread.
    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // Unsafe, as a job must be run exactly once: the loop runs what it is given once.
        self.loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
