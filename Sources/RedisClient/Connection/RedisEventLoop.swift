package import NIOCore
import NIOPosix
import Synchronization

/// An event loop with one thread, and an executor that runs tasks on that thread.
///
/// Thread-safe. `shutDown` must be called once, from another thread.
public final class RedisEventLoop: Sendable {
    private struct Attempts {
        var running = 0
        var isClosing = false
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let attempts = Mutex(Attempts())
    /// The event loop.
    package let eventLoop: any EventLoop
    /// The executor that runs tasks on the loop's thread.
    package let executor: EventLoopExecutor

    /// Starts the thread.
    public init() {
        self.eventLoop = self.group.next()
        self.executor = EventLoopExecutor(self.eventLoop)
    }

    /// Ends the thread. If a connection attempt is still running, returns immediately, and the thread ends when the
    /// attempt does.
    public func shutDown() async {
        let isRunning = self.attempts.withLock { attempts in
            attempts.isClosing = true
            return attempts.running > 0
        }
        // A name lookup cannot be cancelled, and its result needs a running loop.
        if isRunning { return }
        try? await self.group.shutdownGracefully()
    }

    /// Records the start of an attempt that will call back on the loop.
    func attemptBegan() {
        self.attempts.withLock { $0.running += 1 }
    }

    /// Records the end of an attempt. Must be called on the loop.
    func attemptEnded() {
        let isLast = self.attempts.withLock { attempts in
            attempts.running -= 1
            return attempts.running == 0 && attempts.isClosing
        }
        if isLast { self.group.shutdownGracefully { _ in } }
    }

    /// Sleeps for `duration`, or until `stop` is signalled.
    package func sleep(_ duration: Duration, until stop: StopSignal) async {
        let over = OneShot<Void>()
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(duration)) { _ = over.set(()) }
        let token = stop.onStop { over.set(()) }
        await over.value()
        timer.cancel()
        stop.forget(token)
    }
}

/// Runs the jobs of tasks on an event loop's thread.
package final class EventLoopExecutor: TaskExecutor {
    private struct Gathering {
        var isUnderWay = false
        var jobs: [UnownedJob] = []
    }

    private let eventLoop: any EventLoop
    private let gathering: NIOLoopBoundBox<Gathering>

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
        self.gathering = .makeBoxSendingValue(Gathering(), eventLoop: eventLoop)
    }

    /// Runs the job in the next turn of the loop; enqueueing from the loop's own thread needs no system call. During
    /// `runningJobs`, the job is collected and run by that method.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.eventLoop.inEventLoop, self.gathering.value.isUnderWay {
            self.gathering.value.jobs.append(job)
        } else {
            self.eventLoop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    /// Calls `body`, then runs the jobs that it enqueued.
    ///
    /// The task that waits for a reply continues in the turn of the loop that read the reply, without passing through
    /// the loop's queue. Must be called on the loop, and `body` must leave all state consistent.
    func runningJobs(_ body: () -> Void) {
        self.gathering.value.isUnderWay = true
        body()
        self.gathering.value.isUnderWay = false
        if self.gathering.value.jobs.isEmpty { return }
        var jobs: [UnownedJob] = []
        swap(&jobs, &self.gathering.value.jobs)
        for job in jobs { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
