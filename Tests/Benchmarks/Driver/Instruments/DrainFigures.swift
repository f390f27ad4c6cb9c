/// What one drain took: the line of JSON that every yardstick, and the worker under test, prints at its end.
struct DrainFigures: Codable, Equatable, Sendable {
    /// Entries read.
    var entries: Int
    /// Replies they came in.
    var batches: Int
    /// Seconds from before connecting to the last entry done.
    var wallSeconds: Double
    /// Seconds of CPU in user mode.
    var userSeconds: Double
    /// Seconds of CPU in the kernel.
    var systemSeconds: Double
    /// The most memory that was resident, in KiB.
    var peakKiB: Int
    /// Sessions held at the end, nil where none are.
    var store: Int?
    /// Events by outcome and reason, nil where that is not known.
    var outcomes: [String: Int]?

    private enum CodingKeys: String, CodingKey {
        case entries, batches, store, outcomes
        case wallSeconds = "wall_s"
        case userSeconds = "cpu_user_s"
        case systemSeconds = "cpu_sys_s"
        case peakKiB = "peak_kib"
    }

    /// Events a second by the wall.
    var rate: Double { Double(self.entries) / self.wallSeconds }

    /// Microseconds of CPU an event.
    var cpuMicroseconds: Double { (self.userSeconds + self.systemSeconds) * 1e6 / Double(self.entries) }
}
