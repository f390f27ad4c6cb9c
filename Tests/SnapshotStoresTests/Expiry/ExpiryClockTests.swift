import StageKit
import Synchronization
import Testing

@testable import SnapshotStores

/// A time that tests set.
final class ManualTime: Sendable {
    private let value: Atomic<Int64>

    init(_ milliseconds: Int64) {
        self.value = Atomic(milliseconds)
    }

    var now: Int64 {
        get { self.value.load(ordering: .relaxed) }
        set { self.value.store(newValue, ordering: .relaxed) }
    }

    /// A clock that shows exactly this time.
    var clock: ExpiryClock {
        let clock = ExpiryClock(self.wall)
        clock.hold()
        return clock
    }

    var wall: WallClock { WallClock { self.now } }
}

@Suite struct ExpiryClockTests {
    @Test("Time passes without a tick, also if the time of day stands still")
    func passes() {
        let (wall, elapsed) = (ManualTime(1_000_000), ManualTime(50))
        let clock = ExpiryClock(wall.wall, elapsed: { elapsed.now })
        #expect(clock.now == 1_000_000)
        elapsed.now = 250
        #expect(clock.now == 1_000_200)
        clock.tick()
        #expect(clock.now == 1_000_200)
    }

    @Test("A time of day that is set back never makes the clock go back, and one that is set forward is followed")
    func steps() {
        let (wall, elapsed) = (ManualTime(1_000_000), ManualTime(0))
        let clock = ExpiryClock(wall.wall, elapsed: { elapsed.now })
        // One hour back: nothing lives longer.
        (wall.now, elapsed.now) = (1_000_000 - 3_600_000, 1000)
        clock.tick()
        #expect(clock.now == 1_001_000)
        // Forward: nothing outlives its time.
        (wall.now, elapsed.now) = (5_000_000, 2000)
        #expect(clock.now == 1_002_000)
        clock.tick()
        #expect(clock.now == 5_000_000)
        // Corrected again.
        (wall.now, elapsed.now) = (1_003_000, 3000)
        clock.tick()
        #expect(clock.now == 1_003_000)
        (wall.now, elapsed.now) = (0, 4000)
        clock.tick()
        #expect(clock.now == 1_004_000)
    }

    @Test("A clock that is held shows the given time of day alone")
    func held() {
        let (wall, elapsed) = (ManualTime(70), ManualTime(0))
        let clock = ExpiryClock(wall.wall, elapsed: { elapsed.now })
        clock.hold()
        (wall.now, elapsed.now) = (20, 1000)
        clock.tick()
        #expect(clock.now == 20)
    }

    @Test("The machine's clock counts in milliseconds")
    func machine() {
        let clock = ExpiryClock(.system)
        let before = WallClock.system.milliseconds
        let now = clock.now
        // Far apart only if the machine's time of day is set meanwhile.
        #expect(abs(now - before) < 60_000)
    }
}
