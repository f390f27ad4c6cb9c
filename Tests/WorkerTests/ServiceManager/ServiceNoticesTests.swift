import PipelineEngine
import Testing

@testable import Operations

@Suite struct ServiceNoticesTests {
    private static func state(
        _ isServing: Bool, _ reasons: [String], _ silence: Int = 0
    ) -> ServiceNotices.WorkerState {
        ServiceNotices.WorkerState(isServing: isServing, reasons: reasons, silence: .seconds(silence))
    }

    /// Returns what a check sends.
    private static func sent(_ notices: inout ServiceNotices, _ state: ServiceNotices.WorkerState) -> [String] {
        var sent: [String] = []
        notices.next(state) { lines in
            sent = lines
            return true
        }
        return sent
    }

    @Test("READY is sent once the worker answers, STATUS with each change, WATCHDOG unless the run is silent")
    func course() {
        var notices = ServiceNotices()
        #expect(Self.sent(&notices, Self.state(false, ["not connected"])) == ["STATUS=not connected", "WATCHDOG=1"])
        #expect(Self.sent(&notices, Self.state(true, ["not connected"])) == ["READY=1", "WATCHDOG=1"])
        #expect(Self.sent(&notices, Self.state(true, ["not connected"], 1)) == [])
        #expect(Self.sent(&notices, Self.state(true, [])) == ["STATUS=ready", "WATCHDOG=1"])
        #expect(Self.sent(&notices, Self.state(true, [])) == ["WATCHDOG=1"])
        #expect(Self.sent(&notices, Self.state(true, ["a", "b"], 9)) == ["STATUS=a; b"])
    }

    @Test("A silent run does not feed the watchdog, however often it is checked")
    func silent() {
        var notices = ServiceNotices()
        _ = Self.sent(&notices, Self.state(true, []))
        for second in 1..<100 { #expect(Self.sent(&notices, Self.state(true, [], second)) == []) }
        #expect(Self.sent(&notices, Self.state(true, [])) == ["WATCHDOG=1"])
    }

    @Test("A message that the manager refuses is sent again at the next check")
    func refused() {
        var notices = ServiceNotices()
        for _ in 0..<3 {
            notices.next(Self.state(true, ["a"])) { lines in
                #expect(lines == ["READY=1", "STATUS=a", "WATCHDOG=1"])
                return false
            }
        }
        #expect(Self.sent(&notices, Self.state(true, ["a"])) == ["READY=1", "STATUS=a", "WATCHDOG=1"])
        var state = Self.state(true, ["a"])
        #expect(Self.sent(&notices, state) == ["WATCHDOG=1"])
        state.isReloadOpen = true
        #expect(Self.sent(&notices, state) == ["READY=1", "WATCHDOG=1"])
    }

    @Test("A status is one line of limited length")
    func status() {
        var notices = ServiceNotices()
        let lines = Self.sent(&notices, Self.state(false, ["a\nREADY=1\r\nb", String(repeating: "é", count: 1000)]))
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("STATUS=a READY=1 b; éé"))
        #expect(lines[0].utf8.count <= ServiceNotices.statusLimit + "STATUS=".utf8.count + 3)
        #expect(!lines[0].contains("\n"))
    }

    @Test("A reload notification has its start time in microseconds")
    func reload() {
        #expect(
            ServiceNotices.reloading(at: .seconds(3) + .microseconds(7)) == ["RELOADING=1", "MONOTONIC_USEC=3000007"])
    }

    @Test(
        "A socket's name is a path or an abstract name that fits",
        arguments: ["", "x", "vsock:2:3", "@" + String(repeating: "x", count: 200), "/nonexistent/socket"])
    func wrongNames(name: String) {
        #expect(throws: NotifySocket.Failure.self) { _ = try NotifySocket(name) }
    }
}

@Suite struct LoopWatchTests {
    private static func activity(_ pulses: UInt64, until: ContinuousClock.Instant? = nil) -> PipelineActivity {
        PipelineActivity(
            steps: PipelineActivity.Steps(batch: nil, pulses: pulses, source: 0), silentUntil: until)
    }

    @Test("A run is alive while it makes progress, and until it has been silent for longer than the limit")
    func course() {
        let watch = LoopWatch()
        let start = ContinuousClock.now
        #expect(watch.reasons(Self.activity(1), now: start) == [])
        #expect(watch.reasons(Self.activity(1), now: start + LoopWatch.limit) == [])
        #expect(
            watch.reasons(Self.activity(1), now: start + LoopWatch.limit + .seconds(1))
                == ["the read loop has made no progress for 601 s"])
        #expect(watch.reasons(Self.activity(2), now: start + .seconds(700)) == [])
        #expect(watch.reasons(Self.activity(2), now: start + .seconds(900)) == [])
        #expect(watch.reasons(Self.activity(2, until: start + .seconds(9000)), now: start + .seconds(9500)) == [])
        #expect(watch.reasons(Self.activity(2, until: start + .seconds(9000)), now: start + .seconds(9601)) != [])
    }
}
