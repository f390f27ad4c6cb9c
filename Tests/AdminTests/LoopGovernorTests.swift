import Testing

@testable import Admin

@Suite struct LoopGovernorTests {
    /// What a thread does in a hundred looks, in milliseconds of work before each.
    private func run(work: Int, isBehind: Bool) -> (used: Duration, time: Duration, longest: Duration) {
        var account = LoopGovernor.Account(used: .zero, time: .zero)
        var (used, time, longest): (Duration, Duration, Duration) = (.zero, .zero, .zero)
        for _ in 0..<100 {
            used += .milliseconds(work)
            time += max(.milliseconds(2), .milliseconds(work))
            let wait = account.wait(used: used, time: time, isBehind: isBehind)
            longest = max(longest, wait)
            time += wait
        }
        return (used, time, longest)
    }

    @Test(
        "A thread that does all it can has a hundredth of a core while the stream is behind", arguments: [1, 2])
    func share(_ work: Int) {
        let ran = self.run(work: work, isBehind: true)
        #expect(abs(ran.used / ran.time - LoopGovernor.Account.share) < 0.0025)
        #expect(ran.longest <= LoopGovernor.Account.longestWait)
    }

    @Test("No wait is longer than a probe can stand, however long a piece of work took")
    func long() {
        #expect(self.run(work: 500, isBehind: true).longest == LoopGovernor.Account.longestWait)
    }

    @Test("A thread that does little, and one beside a stream that is not behind, never waits", arguments: [0, 5])
    func none(_ work: Int) {
        #expect(self.run(work: work, isBehind: work == 0).longest == .zero)
    }

    @Test("What was used while the stream was not behind is not made up for when it is")
    func fresh() {
        var account = LoopGovernor.Account(used: .zero, time: .zero)
        #expect(account.wait(used: .seconds(9), time: .seconds(10), isBehind: false) == .zero)
        #expect(account.wait(used: .seconds(9), time: .seconds(10) + .milliseconds(1), isBehind: true) == .zero)
    }
}
