#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The clock that provides the time of day to stages. Tests provide a clock that does not advance.
public struct WallClock: Sendable {
    private let read: @Sendable () -> Int64

    /// Creates a clock; `read` returns milliseconds since the epoch, on any thread.
    public init(_ read: @escaping @Sendable () -> Int64) {
        self.read = read
    }

    /// The time in milliseconds since 1970-01-01 00:00 UTC, without leap seconds.
    public var milliseconds: Int64 { self.read() }

    /// The machine's clock.
    public static let system = WallClock {
        var time = timespec()
        // Cannot fail: the clock exists on every system that supports Swift.
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
