package import NIOCore
import NIOPosix
import Synchronization

/// One event loop thread with an executor on it, so that a task can run where its connection is read.
///
/// Thread-safe. `shutDown` must be called once, from outside the thread.
package final class RedisEventLoop: Sendable {
    private struct Attempts {
        var running = 0
        var isClosing = false
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let attempts = Mutex(Attempts())
    /// The loop.
    package let eventLoop: any EventLoop
    /// Runs tasks on the loop's thread.
    package let executor: EventLoopExecutor

    /// Starts the thread.
    package init() {
        self.eventLoop = self.group.next()
        self.executor = EventLoopExecutor(self.eventLoop)
    }

    /// Ends the thread; where an attempt to connect is still running, the thread ends with it and this returns at once.
    package func shutDown() async {
        let isRunning = self.attempts.withLock { attempts in
            attempts.isClosing = true
            return attempts.running > 0
        }
        // A name look-up cannot be called off, and its answer must find the loop alive.
        if isRunning { return }
        try? await self.group.shutdownGracefully()
    }

    /// Notes that something was begun that will call back on the loop.
    func attemptBegan() {
        self.attempts.withLock { $0.running += 1 }
    }

    /// Notes that it has called back; to be called on the loop.
    func attemptEnded() {
        let isLast = self.attempts.withLock { attempts in
            attempts.running -= 1
            return attempts.running == 0 && attempts.isClosing
        }
        if isLast { self.group.shutdownGracefully { _ in } }
    }

    /// Waits, but no longer than until asked to stop.
    package func sleep(_ duration: Duration, until stop: StopSignal) async {
        let over = OneShot<Void>()
        let timer = self.eventLoop.scheduleTask(in: TimeAmount(duration)) { _ = over.set(()) }
        let token = stop.onStop { over.set(()) }
        await over.value()
        timer.cancel()
        stop.forget(token)
    }
}

/// Runs a task's jobs on the thread of an event loop.
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

    /// Runs the job in the loop's next turn, from the loop's own thread without a system call; what becomes ready within
    /// `runningJobs` is run by that.
    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if self.eventLoop.inEventLoop, self.gathering.value.isUnderWay {
            self.gathering.value.jobs.append(job)
        } else {
            self.eventLoop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
        }
    }

    /// Calls `body`, then runs the jobs that it has made ready: a reply is worked on where it was read, without the loop's
    /// queue between. Only on the loop, and `body` must leave nothing half done.
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
