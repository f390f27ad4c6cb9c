import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps requests from holding up a stream that is behind and short of a processor (`StreamContention`): while it is, the
/// server's thread takes at most half a core, nearly all of it for lookups, and what can wait gets a turn now and then
/// (`TurnLine`).
///
/// Priorities do not do this: on two cores Linux puts the stream's thread and a server's on one and leaves the other to
/// a thread that is nice. A stream that is caught up, or that waits for something else than a processor, loses nothing by
/// requests, and nothing is held back then.
final class LoopGovernor: Sendable {
    /// What is decided on, and the account that is kept.
    struct Account: Sendable {
        /// The share of a core: lookups go on, and the stream's thread has the rest of the core if it shares one.
        static let share = 0.5
        /// The longest wait at a time, which is what a lookup may have to wait for its answer beside a flood.
        static let longestWait = Duration.milliseconds(10)

        private var used: Duration
        private var time: Duration
        private var debt = Duration.zero

        /// Begins an account at a processor time and a time of the clock.
        init(used: Duration, time: Duration) {
            self.used = used
            self.time = time
        }

        /// Takes account of what the thread has used, and tells how long it is to wait now.
        mutating func wait(used: Duration, time: Duration, isShort: Bool) -> Duration {
            let allowed = (time - self.time) * Self.share
            self.debt = max(.zero, self.debt + (used - self.used) - allowed)
            (self.used, self.time) = (used, time)
            guard isShort else {
                self.debt = .zero
                return .zero
            }
            // What one wait does not make good is forgotten, or a long piece of work would cost many.
            self.debt = min(self.debt, Self.longestWait * Self.share)
            return self.debt / Self.share
        }
    }

    /// Between two looks while the stream is short of a processor.
    private static let interval = TimeAmount.milliseconds(2)
    /// Between two looks while it is not.
    private static let restInterval = TimeAmount.milliseconds(60)

    private let loop: any EventLoop
    private let lateThread: @Sendable () -> Int32?
    private let line: TurnLine
    private let account: Mutex<Account>
    private let contention = Mutex(StreamContention())
    private let isOver = Atomic<Bool>(false)

    /// Makes a governor of a loop, on its thread.
    ///
    /// - Parameters:
    ///   - loop: The loop.
    ///   - line: What can wait.
    ///   - lateThread: The stream's thread if the stream is behind, else `nil`.
    init(_ loop: any EventLoop, line: TurnLine, lateThread: @escaping @Sendable () -> Int32?) {
        loop.preconditionInEventLoop()
        self.loop = loop
        self.line = line
        self.lateThread = lateThread
        self.account = Mutex(
            Account(used: Self.time(of: CLOCK_THREAD_CPUTIME_ID), time: Self.time(of: CLOCK_MONOTONIC)))
    }

    /// Looks from now on, until told to stop.
    func start() { self.look(in: Self.restInterval) }

    /// Ends it.
    func stop() {
        self.isOver.store(true, ordering: .relaxed)
        self.line.setHolding(false)
    }

    private func look(in delay: TimeAmount) {
        self.loop.scheduleTask(in: delay) {
            guard !self.isOver.load(ordering: .relaxed) else { return }
            let thread = self.lateThread()
            let waited = thread.flatMap { ThreadSchedule.waited($0) }
            let isShort = self.contention.withLock {
                $0.isShort(thread: thread, waited: waited, time: Self.time(of: CLOCK_MONOTONIC))
            }
            self.line.setHolding(isShort)
            let wait = self.account.withLock {
                $0.wait(
                    used: Self.time(of: CLOCK_THREAD_CPUTIME_ID), time: Self.time(of: CLOCK_MONOTONIC),
                    isShort: isShort)
            }
            // The one place where a loop's thread waits on purpose: nothing but requests runs on it.
            if wait > .zero { usleep(UInt32(wait / .microseconds(1))) }
            self.look(in: isShort ? Self.interval : Self.restInterval)
        }
    }

    private static func time(of clock: clockid_t) -> Duration {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
