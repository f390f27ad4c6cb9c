import StageKit
import Synchronization

/// The time of day by which snapshots expire, read at each lookup.
///
/// It follows the machine's time of day, but never falls behind the time at its creation plus the time that has passed
/// since: if the time of day is set back, snapshots that have expired stay expired and none lives longer. A time of day
/// that is set forward is followed; once it is corrected, the clock is, too.
///
/// A lookup reads one clock, which counts while the machine is suspended. `tick` compares it with the time of day; a step
/// of the time of day is therefore followed from the next tick on.
final class ExpiryClock: Sendable {
    private let wall: WallClock
    private let elapsed: @Sendable () -> Int64
    /// The least time of day when `elapsed` is 0.
    private let anchor: Int64
    /// The time of day when `elapsed` was 0, as of the last tick.
    private let offset: Atomic<Int64>
    private let isHeld = Atomic<Bool>(false)

    /// Creates a clock.
    ///
    /// - Parameters:
    ///   - wall: The time of day.
    ///   - elapsed: Returns milliseconds that have passed since some moment, or `nil` for the machine's own clock.
    init(_ wall: WallClock, elapsed: (@Sendable () -> Int64)? = nil) {
        let elapsed = elapsed ?? Self.counting(from: .now)
        let anchor = wall.milliseconds - elapsed()
        self.wall = wall
        self.elapsed = elapsed
        self.anchor = anchor
        self.offset = Atomic(anchor)
    }

    /// The time in milliseconds since 1970-01-01 00:00 UTC.
    var now: Int64 {
        if self.isHeld.load(ordering: .relaxed) { return self.wall.milliseconds }
        return self.elapsed() &+ self.offset.load(ordering: .relaxed)
    }

    /// Compares the clock with the time of day.
    func tick() {
        self.offset.store(Swift.max(self.anchor, self.wall.milliseconds - self.elapsed()), ordering: .relaxed)
    }

    /// Makes the clock show exactly the given time of day, for tests of pipelines, in which no time passes.
    func hold() {
        self.isHeld.store(true, ordering: .relaxed)
    }

    private static func counting(from origin: ContinuousClock.Instant) -> @Sendable () -> Int64 {
        {
            let (seconds, attoseconds) = (ContinuousClock.now - origin).components
            return seconds * 1000 + attoseconds / 1_000_000_000_000_000
        }
    }
}
