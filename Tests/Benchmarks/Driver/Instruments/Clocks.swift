import Glibc

/// The clocks that the bench reads.
enum Clocks {
    /// Nanoseconds of the clock that all processes of a machine share.
    static var monotonic: UInt64 { self.read(CLOCK_MONOTONIC) }

    /// Nanoseconds of CPU that the calling thread has used.
    static var threadCPU: UInt64 { self.read(CLOCK_THREAD_CPUTIME_ID) }

    /// Nanoseconds of CPU that this process has used.
    static var ownCPU: UInt64 { self.read(CLOCK_PROCESS_CPUTIME_ID) }

    /// Seconds of CPU that a process of this machine has used, all threads, user and system; nil where there is none.
    static func processCPU(_ process: Int32) -> Double? {
        var clock = clockid_t()
        guard unsafe clock_getcpuclockid(process, &clock) == 0 else { return nil }
        return Double(self.read(clock)) / 1e9
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// What this process has used so far.
struct ResourceUsage: Sendable {
    /// Seconds of CPU in user mode.
    let user: Double
    /// Seconds of CPU in the kernel.
    let system: Double

    /// Asks the kernel.
    static var now: ResourceUsage {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return ResourceUsage(user: self.seconds(usage.ru_utime), system: self.seconds(usage.ru_stime))
    }

    private static func seconds(_ time: timeval) -> Double {
        Double(time.tv_sec) + Double(time.tv_usec) / 1e6
    }
}
