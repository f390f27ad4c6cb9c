import Testing

@testable import Admin

@Suite struct LoopGovernorTests {
    /// What a thread does in a hundred looks, in milliseconds of work before each.
    private func run(work: Int, isShort: Bool) -> (used: Duration, time: Duration, longest: Duration) {
        var account = LoopGovernor.Account(used: .zero, time: .zero)
        var (used, time, longest): (Duration, Duration, Duration) = (.zero, .zero, .zero)
        for _ in 0..<100 {
            used += .milliseconds(work)
            time += max(.milliseconds(2), .milliseconds(work))
            let wait = account.wait(used: used, time: time, isShort: isShort)
            longest = max(longest, wait)
            time += wait
        }
        return (used, time, longest)
    }

    @Test(
        "A busy thread gets half a core while the stream waits for a processor", arguments: [1, 2])
    func share(_ work: Int) {
        let ran = self.run(work: work, isShort: true)
        #expect(abs(ran.used / ran.time - LoopGovernor.Account.share) < 0.05)
        #expect(ran.longest <= LoopGovernor.Account.longestWait)
    }

    @Test("No delay is longer than a lookup tolerates, however long the work took")
    func long() {
        #expect(self.run(work: 500, isShort: true).longest == LoopGovernor.Account.longestWait)
    }

    @Test("A thread is never delayed if it does little or the stream has its processor", arguments: [0, 5])
    func none(_ work: Int) {
        #expect(self.run(work: work, isShort: work == 0).longest == .zero)
    }

    @Test("Time used while the stream had its processor is not repaid later")
    func fresh() {
        var account = LoopGovernor.Account(used: .zero, time: .zero)
        #expect(account.wait(used: .seconds(9), time: .seconds(10), isShort: false) == .zero)
        #expect(account.wait(used: .seconds(9), time: .seconds(10) + .milliseconds(1), isShort: true) == .zero)
    }
}

@Suite struct StreamContentionTests {
    /// A sample: the time, the stream's thread if it is behind, and how long that has waited for a processor, in
    /// milliseconds.
    typealias Sample = (time: Int, thread: Int32?, waited: Int?, isShort: Bool)

    @Test(
        "Requests are delayed while a late stream's thread waits for a processor, and for a second afterwards",
        arguments: [
            // Behind because a webhook is slow, or by its ids: the thread wants no processor.
            [(0, 7, 0, false), (60, 7, 0, false), (120, 7, 1, false), (5000, 7, 40, false)],
            // Kept from its processor for half of the time; held back for a second after the last time.
            [(0, 7, 0, false), (60, 7, 30, true), (62, 7, 30, true), (120, 7, 32, true), (1070, 7, 32, false)],
            // Too short a time is not measured.
            [(0, 7, 0, false), (10, 7, 10, false), (60, 7, 30, true)],
            // Caught up: nothing is held back, and nothing is kept of before.
            [(0, 7, 0, false), (60, 7, 60, true), (70, nil, nil, false), (80, 7, 90, false)],
            // Another run's thread has a count of its own.
            [(0, 7, 500, false), (60, 8, 0, false), (120, 8, 30, true)],
            // The kernel does not say: the stream comes first.
            [(0, 7, nil, true), (60, nil, nil, false)],
        ] as [[Sample]])
    func contention(_ samples: [Sample]) {
        var contention = StreamContention()
        for sample in samples {
            let isShort = contention.isShort(
                thread: sample.thread, waited: sample.waited.map { .milliseconds($0) },
                time: .milliseconds(sample.time))
            #expect(isShort == sample.isShort, "at \(sample.time)")
        }
    }

    @Test(
        "The run queue time is the second number of the kernel's line",
        arguments: [("120 45 3\n", 45), ("", nil), ("120", nil), ("a b c", nil)] as [(String, Int?)])
    func line(line: String, waited: Int?) {
        #expect(ThreadSchedule.waited(in: line) == waited.map { .nanoseconds($0) })
    }

    @Test("A thread that does not exist has no times")
    func noThread() {
        #expect(ThreadSchedule.waited(-1) == nil)
    }
}

@Suite struct TurnLineTests {
    @Test("Requests take turns, and a request that would wait for too long is refused")
    func turns() {
        var turns = TurnLine.Turns()
        let start = ContinuousClock.now
        var waits: [Duration] = []
        while let wait = turns.wait(now: start) { waits.append(wait) }
        #expect(waits.first == .zero)
        #expect(waits == waits.indices.map { TurnLine.Turns.interval * $0 })
        #expect(waits.last == TurnLine.Turns.longestWait)
        #expect(turns.wait(now: start + .seconds(3600)) == .zero)
    }

    @Test("Nothing is delayed while the stream has its processor; otherwise periodic work is skipped")
    func line() async throws {
        let line = TurnLine()
        for _ in 0..<100 {
            try await line.waitForTurn()
            #expect(line.mayGoOn)
        }
        line.setHolding(true)
        #expect(line.mayGoOn)
        #expect(!line.mayGoOn)
        line.setHolding(false)
        #expect(line.mayGoOn)
    }
}
