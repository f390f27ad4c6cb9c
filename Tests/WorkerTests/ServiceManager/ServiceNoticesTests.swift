import Testing

@testable import Worker

@Suite struct ServiceNoticesTests {
    private static func look(_ isServing: Bool, _ reasons: [String], _ pulses: UInt64) -> ServiceNotices.Look {
        ServiceNotices.Look(isServing: isServing, reasons: reasons, pulses: pulses)
    }

    @Test(
        "READY comes once, with the first look at a worker that answers; STATUS with each change; WATCHDOG with each move"
    )
    func course() {
        var notices = ServiceNotices()
        #expect(notices.next(Self.look(false, ["not connected"], 0)) == ["STATUS=not connected", "WATCHDOG=1"])
        #expect(notices.next(Self.look(true, ["not connected"], 1)) == ["READY=1", "WATCHDOG=1"])
        #expect(notices.next(Self.look(true, ["not connected"], 1)) == [])
        #expect(notices.next(Self.look(true, [], 2)) == ["STATUS=ready", "WATCHDOG=1"])
        #expect(notices.next(Self.look(true, [], 9)) == ["WATCHDOG=1"])
        #expect(notices.next(Self.look(true, ["a", "b"], 9)) == ["STATUS=a; b"])
    }

    @Test("A loop that stands still does not feed the watchdog, however often it is looked at")
    func standingStill() {
        var notices = ServiceNotices()
        _ = notices.next(Self.look(true, [], 5))
        for _ in 0..<100 { #expect(notices.next(Self.look(true, [], 5)) == []) }
        #expect(notices.next(Self.look(true, [], 6)) == ["WATCHDOG=1"])
    }

    @Test("A status is one line, and no longer than a line should be")
    func status() {
        var notices = ServiceNotices()
        let lines = notices.next(Self.look(false, ["a\nREADY=1\r\nb", String(repeating: "é", count: 1000)], 0))
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("STATUS=a READY=1 b; éé"))
        #expect(lines[0].utf8.count <= ServiceNotices.statusLimit + "STATUS=".utf8.count + 3)
        #expect(!lines[0].contains("\n"))
    }

    @Test("A reload says when it began, in microseconds")
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
    @Test("A loop is alive while it moves, and until it has stood still for longer than the limit")
    func course() {
        let watch = LoopWatch()
        let start = ContinuousClock.now
        #expect(watch.reasons(pulses: 1, now: start) == [])
        #expect(watch.reasons(pulses: 1, now: start + LoopWatch.limit) == [])
        #expect(
            watch.reasons(pulses: 1, now: start + LoopWatch.limit + .seconds(1))
                == ["the read loop has not moved for 601 s"])
        #expect(watch.reasons(pulses: 2, now: start + .seconds(700)) == [])
        #expect(watch.reasons(pulses: 2, now: start + .seconds(900)) == [])
    }
}
