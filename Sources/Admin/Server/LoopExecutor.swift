import NIOCore

/// Runs tasks on an event loop, so that requests are answered on the server's own thread and never take one of those
/// that the stream is read on.
final class LoopExecutor: TaskExecutor {
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
