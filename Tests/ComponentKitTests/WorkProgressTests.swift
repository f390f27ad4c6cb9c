import ComponentKit
import Logging
import StageKit
import Testing

@Suite struct WorkProgressTests {
    /// Updates at seconds after the start, and the expected reports.
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var destination = WorkProgress.Destination.log
        var total: Int?
        /// The time in seconds, the number that is done, the estimated part, and the expected text.
        var updates: [(at: Double, done: Int, fraction: Double?, text: String?)]
        var testDescription: String { self.name }
    }

    static let cases: [Case] = [
        Case(
            name: "short work reports nothing", total: 100,
            updates: [(0, 0, nil, nil), (5, 50, nil, nil), (9.9, 100, nil, nil)]),
        Case(
            name: "a log gets a report per 10 s", total: 1000,
            updates: [
                (9.9, 99, nil, nil), (10, 100, nil, "100 keys, 10/s, 10%, 90 s left"), (19.9, 150, nil, nil),
                (20, 200, nil, "200 keys, 10/s, 20%, 80 s left"), (100, 1000, nil, "1000 keys, 10/s, 100%, 0 s left"),
            ]),
        Case(
            name: "a terminal gets a report per second", destination: .terminal, total: 1000,
            updates: [
                (0.5, 100, nil, nil), (1, 250, nil, "250 keys, 250/s, 25%, 3 s left"), (1.5, 300, nil, nil),
                (2, 500, nil, "500 keys, 250/s, 50%, 2 s left"),
            ]),
        Case(
            name: "the rate is that since the last report, the time left that of the whole work", total: 1000,
            updates: [
                (10, 100, nil, "100 keys, 10/s, 10%, 90 s left"), (20, 500, nil, "500 keys, 40/s, 50%, 20 s left"),
                (30, 500, nil, "500 keys, 0/s, 50%, 30 s left"),
            ]),
        Case(
            name: "without a total there is no time left",
            updates: [(10, 5, nil, "5 keys, 0.50/s"), (20, 6, nil, "6 keys, 0.10/s"), (30, 36, nil, "36 keys, 3/s")]),
        Case(
            name: "an estimate takes the place of a total",
            updates: [
                (10, 77, 0.25, "77 keys, 7.70/s, 25%, 30 s left"), (20, 99, 0.999, "99 keys, 2.20/s, 99%, 0 s left"),
            ]
        ),
        Case(
            name: "an estimate that decreases is never shown again",
            updates: [
                (10, 100, 0.5, "100 keys, 10/s, 50%, 10 s left"), (20, 200, 0.4, "200 keys, 10/s"),
                (30, 300, 0.9, "300 keys, 10/s"),
            ]),
        Case(
            name: "a total that was too small ends at 100%", total: 10,
            updates: [(10, 30, nil, "30 keys, 3/s, 100%, 0 s left"), (20, 40, nil, "40 keys, 1/s, 100%, 0 s left")]),
        Case(
            name: "nothing done has no time left", total: 10,
            updates: [(10, 0, nil, "0 keys, 0/s, 0%")]),
        Case(name: "an empty total is complete", total: 0, updates: [(10, 0, nil, "0 keys, 0/s, 100%, 0 s left")]),
        Case(
            name: "long times are in minutes, hours, or not shown", total: 100_000,
            updates: [
                (10, 1000, nil, "1000 keys, 100/s, 1%, 16 min left"),
                (1000, 2000, nil, "2000 keys, 1.01/s, 2%, 13 h left"),
                (100_000, 2001, nil, "2001 keys, 0/s, 2%"),
            ]),
    ]

    @Test("Progress is reported at most once per interval, with rate and time left", arguments: cases)
    func reports(_ example: Case) {
        let start = ContinuousClock.now
        var progress = WorkProgress(example.destination, total: example.total, at: start)
        for update in example.updates {
            let report = progress.update(update.done, fraction: update.fraction, at: start + .seconds(update.at))
            #expect(report?.text("keys") == update.text, "after \(update.at) s")
        }
    }

    @Test("A log line has the numbers as integers, and no more than is known")
    func metadata() {
        let start = ContinuousClock.now
        var known = WorkProgress(.log, total: 400, at: start)
        #expect(
            known.update(100, at: start + .seconds(10))?.metadata("bytes").mapValues(\.description)
                == ["bytes": "100", "per_second": "10", "percent": "25", "seconds_left": "30"])
        var unknown = WorkProgress(.log, at: start)
        #expect(
            unknown.update(101, at: start + .seconds(10))?.metadata("keys").mapValues(\.description)
                == ["keys": "101", "per_second": "10"])
    }
}
