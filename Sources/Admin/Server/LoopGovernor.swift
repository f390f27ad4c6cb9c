import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps requests from slowing down a stream that is behind and short of a processor (`StreamContention`). While it is,
/// the server's thread uses at most half a core, nearly all of it for lookups, and requests that can wait are admitted
/// at intervals (`TurnLine`).
///
/// Thread priorities do not achieve this: on two cores, Linux puts the stream's thread and the server's on one core and
/// leaves the other to a niced thread. Requests do not slow down a stream that is caught up or that waits for something
/// other than a processor, so nothing is held back then.
final class LoopGovernor: Sendable {
    /// The processor time used and allowed, from which waits are computed.
    struct Account: Sendable {
        /// The allowed share of a core: lookups continue, and the stream's thread has the rest of the core if it shares
        /// one.
        static let share = 0.5
        /// The maximum length of one wait, which is also the delay that a flood of requests can add to a lookup.
        static let longestWait = Duration.milliseconds(10)

        private var used: Duration
        private var time: Duration
        private var debt = Duration.zero

        /// Creates an account that starts at this processor time and this clock time.
        init(used: Duration, time: Duration) {
            self.used = used
            self.time = time
        }

        /// Records the processor time used, and returns how long the thread must wait now.
        mutating func wait(used: Duration, time: Duration, isShort: Bool) -> Duration {
            let allowed = (time - self.time) * Self.share
            self.debt = max(.zero, self.debt + (used - self.used) - allowed)
            (self.used, self.time) = (used, time)
            guard isShort else {
                self.debt = .zero
                return .zero
            }
            // Debt beyond one wait is forgotten; otherwise one long request would cause many waits.
            self.debt = min(self.debt, Self.longestWait * Self.share)
            return self.debt / Self.share
        }
    }

    /// The interval between two checks while the stream is short of a processor.
    private static let interval = TimeAmount.milliseconds(2)
    /// The interval between two checks while it is not.
    private static let restInterval = TimeAmount.milliseconds(60)

    private let loop: any EventLoop
    private let lateThread: @Sendable () -> Int32?
    private let line: TurnLine
    private let account: Mutex<Account>
    private let contention = Mutex(StreamContention())
    private let isOver = Atomic<Bool>(false)

    /// Creates a governor of an event loop, on its thread.
    ///
    /// - Parameters:
    ///   - loop: The loop.
    ///   - line: Where requests that can wait are queued.
    ///   - lateThread: Returns the stream's thread if the stream is behind, or `nil`.
    init(_ loop: any EventLoop, line: TurnLine, lateThread: @escaping @Sendable () -> Int32?) {
        loop.preconditionInEventLoop()
        self.loop = loop
        self.line = line
        self.lateThread = lateThread
        self.account = Mutex(
            Account(used: Self.time(of: CLOCK_THREAD_CPUTIME_ID), time: Self.time(of: CLOCK_MONOTONIC)))
    }

    /// Starts periodic checks, until `stop` is called.
    func start() { self.scheduleCheck(in: Self.restInterval) }

    /// Stops the checks.
    func stop() {
        self.isOver.store(true, ordering: .relaxed)
        self.line.setHolding(false)
    }

    private func scheduleCheck(in delay: TimeAmount) {
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
            // The only deliberate block of an event loop's thread: nothing but requests runs on it.
            if wait > .zero { usleep(UInt32(wait / .microseconds(1))) }
            self.scheduleCheck(in: isShort ? Self.interval : Self.restInterval)
        }
    }

    private static func time(of clock: clockid_t) -> Duration {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
