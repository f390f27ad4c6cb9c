#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Decides whether requests keep the stream's thread from a processor. Pure.
///
/// Being behind is not enough: a stream that waits for a webhook is behind and needs no processor, and one whose ids were
/// made by hand looks behind for ever. So the kernel is asked how long the thread was ready to run and had to wait for its
/// turn. A thread that waits for anything else adds nothing to that.
struct StreamContention: Sendable {
    /// The part of the time that the thread may wait for a processor: less is the usual noise of a machine, and costs the
    /// stream less than it gains.
    static let allowedPart = 0.05
    /// The shortest time that is measured: with less, a single turn of another thread would decide.
    static let window = Duration.milliseconds(50)
    /// How long requests are held back after the thread had to wait. Once they are, it waits no more: without this they would
    /// be let go and held back in turn.
    static let hold = Duration.seconds(1)

    private var last: (thread: Int32, waited: Duration, time: Duration)?
    private var heldUntil: Duration?

    /// Takes a look.
    ///
    /// - Parameters:
    ///   - thread: The stream's thread if the stream is behind, else `nil`.
    ///   - waited: How long that thread has waited for a processor so far, or `nil` if the kernel does not say: then requests
    ///     are held back, as the stream comes first.
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

/// What the kernel knows of a thread of this process.
enum ThreadSchedule {
    /// How long a thread has waited for a processor so far, or `nil` if the kernel does not say.
    ///
    /// Source: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat": time on a processor, time in a run queue, both
    /// in nanoseconds, number of turns.
    static func waited(_ thread: Int32) -> Duration? {
        let file = unsafe open("/proc/self/task/\(thread)/schedstat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 96)
        let count = unsafe read(file, &bytes, bytes.count)
        return count > 0 ? self.waited(in: String(decoding: bytes[..<count], as: UTF8.self)) : nil
    }

    /// The second number of the file's line, or `nil` if there is none.
    static func waited(in line: String) -> Duration? {
        let parts = line.split(whereSeparator: \.isWhitespace)
        return parts.count >= 2 ? Int64(parts[1]).map { .nanoseconds($0) } : nil
    }
}
