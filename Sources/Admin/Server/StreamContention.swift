#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Decides whether requests keep the stream's thread from a processor. Pure.
///
/// Lag alone is not enough: a stream that waits for a webhook is behind and needs no processor, and a stream with
/// artificial ids always looks behind. Therefore the kernel is asked how long the thread was runnable but had to wait
/// for a processor. Waiting for anything else does not count.
struct StreamContention: Sendable {
    /// The tolerated fraction of time that the thread waits for a processor: less is normal noise, and no
    /// reason to hold requests back.
    static let allowedPart = 0.05
    /// The minimum measuring time; in a shorter one, a single time slice of another thread would decide.
    static let window = Duration.milliseconds(50)
    /// How long requests are held back after the thread had to wait. While they are held back the thread no longer
    /// waits, so without this time the decision would alternate.
    static let hold = Duration.seconds(1)

    private var last: (thread: Int32, waited: Duration, time: Duration)?
    private var heldUntil: Duration?

    /// Updates the measurement.
    ///
    /// - Parameters:
    ///   - thread: The stream's thread if the stream is behind, else `nil`.
    ///   - waited: How long that thread has waited for a processor so far, or `nil` if the kernel does not report it:
    ///     then requests are held back, as the stream comes first.
    ///   - time: The time of a clock.
    /// - Returns: Whether to hold requests back.
    mutating func isShort(thread: Int32?, waited: Duration?, time: Duration) -> Bool {
        guard let thread else {
            (self.last, self.heldUntil) = (nil, nil)
            return false
        }
        guard let waited else { return true }
        if let last = self.last, last.thread == thread {
            let passed = time - last.time
            if passed >= Self.window {
                if (waited - last.waited) / passed >= Self.allowedPart { self.heldUntil = time + Self.hold }
                self.last = (thread, waited, time)
            }
        } else {
            self.last = (thread, waited, time)
        }
        return self.heldUntil.map { time < $0 } ?? false
    }
}

/// The kernel's statistics of a thread of this process.
enum ThreadSchedule {
    /// Returns how long a thread has waited for a processor so far, or `nil` if the kernel does not report it.
    ///
    /// Source: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat": time on a processor, time in a run
    /// queue, both in nanoseconds, number of time slices.
    static func waited(_ thread: Int32) -> Duration? {
        let file = unsafe open("/proc/self/task/\(thread)/schedstat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 96)
        let count = unsafe read(file, &bytes, bytes.count)
        return count > 0 ? self.waited(in: String(decoding: bytes[..<count], as: UTF8.self)) : nil
    }

    /// Returns the second number of the file's line, or `nil` if there is none.
    static func waited(in line: String) -> Duration? {
        let parts = line.split(whereSeparator: \.isWhitespace)
        return parts.count >= 2 ? Int64(parts[1]).map { .nanoseconds($0) } : nil
    }
}
