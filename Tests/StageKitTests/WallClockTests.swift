import Foundation
import StageKit
import Testing

@Suite struct WallClockTests {
    @Test("The machine's clock agrees with Foundation")
    func system() {
        let before = Int64(Date().timeIntervalSince1970 * 1000) - 1
        let now = WallClock.system.milliseconds
        let after = Int64(Date().timeIntervalSince1970 * 1000) + 1
        #expect((before...after).contains(now))
    }

    @Test("A custom clock returns the given time")
    func own() {
        #expect(WallClock { 42 }.milliseconds == 42)
    }
}
