import Foundation
import StageKit
import Testing

@Suite struct WallClockTests {
    @Test("The machine's clock tells what Foundation tells")
    func system() {
        let before = Int64(Date().timeIntervalSince1970 * 1000) - 1
        let now = WallClock.system.milliseconds
        let after = Int64(Date().timeIntervalSince1970 * 1000) + 1
        #expect((before...after).contains(now))
    }

    @Test("A clock of one's own tells what it is made to tell")
    func own() {
        #expect(WallClock { 42 }.milliseconds == 42)
    }
}
