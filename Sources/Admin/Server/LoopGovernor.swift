import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Keeps requests from holding up a stream that is behind: while it is, the server's thread takes a hundredth of a
/// core at most, and waits when it has had it.
///
/// Priorities do not do this: on two cores Linux puts the stream's thread and a server's on one and leaves the other to
/// a thread that is nice. A stream that is caught up needs no more than its events cost, and nothing is held back then.
final class LoopGovernor: Sendable {
    /// What is decided on, and the account that is kept.
    struct Account: Sendable {
        /// The share of a core.
        static let share = 0.01
        /// The longest wait at a time: what a probe may have to wait for its answer beside a flood.
        static let longestWait = Duration.milliseconds(200)

        private var used: Duration
        private var time: Duration
        private var debt = Duration.zero

        /// Begins an account at a processor time and a time of the clock.
        init(used: Duration, time: Duration) {
            self.used = used
            self.time = time
        }

        /// Takes account of what the thread has used, and tells how long it is to wait now.
        mutating func wait(used: Duration, time: Duration, isBehind: Bool) -> Duration {
            let allowed = (time - self.time) * Self.share
            self.debt = max(.zero, self.debt + (used - self.used) - allowed)
            (self.used, self.time) = (used, time)
            guard isBehind else {
                self.debt = .zero
                return .zero
            }
            // What one wait does not make good is forgotten, or a long piece of work would cost many.
            self.debt = min(self.debt, Self.longestWait * Self.share)
            return self.debt / Self.share
        }
    }

    /// Between two looks while the stream is behind.
    private static let interval = TimeAmount.milliseconds(2)
    /// Between two looks while it is not.
    private static let restInterval = TimeAmount.milliseconds(100)

    private let loop: any EventLoop
    private let isBehind: @Sendable () -> Bool
    private let account: Mutex<Account>
    private let isOver = Atomic<Bool>(false)

    /// Makes a governor of a loop, on its thread.
    init(_ loop: any EventLoop, isBehind: @escaping @Sendable () -> Bool) {
        loop.preconditionInEventLoop()
        self.loop = loop
        self.isBehind = isBehind
        self.account = Mutex(
            Account(used: Self.time(of: CLOCK_THREAD_CPUTIME_ID), time: Self.time(of: CLOCK_MONOTONIC)))
    }

    /// Looks from now on, until told to stop.
    func start() { self.look(in: Self.restInterval) }

    /// Ends it.
    func stop() { self.isOver.store(true, ordering: .relaxed) }

    private func look(in delay: TimeAmount) {
        self.loop.scheduleTask(in: delay) {
            guard !self.isOver.load(ordering: .relaxed) else { return }
            let isBehind = self.isBehind()
            let wait = self.account.withLock {
                $0.wait(
                    used: Self.time(of: CLOCK_THREAD_CPUTIME_ID), time: Self.time(of: CLOCK_MONOTONIC),
                    isBehind: isBehind)
            }
            // The one place where a loop's thread waits on purpose: nothing but requests runs on it.
            if wait > .zero { usleep(UInt32(wait / .microseconds(1))) }
            self.look(in: isBehind ? Self.interval : Self.restInterval)
        }
    }

    private static func time(of clock: clockid_t) -> Duration {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
