import ComponentKit
import StageKit
import Testing

@Suite struct StalledBatchTests {
    /// A batch in flight, or none, at an instant.
    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// Entries of the batch in flight and how long ago it was taken.
        var flight: (entries: Int, age: Duration)?
        /// Entries that the source could not deliver and how long ago the first was ready.
        var undelivered: (count: Int, age: Duration)?
        /// What the source says of itself.
        var isCaughtUp = true
        var lag: UInt64? = 0
        /// What the pipeline says.
        var stalled: StalledBatch?
        var isCaughtUpThen = true
        var lagThen: UInt64? = 0
    }

    private static func stall(_ entries: Int, _ seconds: Int, wasCaughtUp: Bool = true) -> StalledBatch {
        StalledBatch(entries: entries, duration: .seconds(seconds), stage: "hook", wasCaughtUp: wasCaughtUp)
    }

    static let cases = [
        Case(testDescription: "nothing in flight"),
        Case(testDescription: "within the grace", flight: (64, .seconds(2))),
        Case(
            testDescription: "beyond the grace", flight: (64, .seconds(30)), stalled: stall(64, 30),
            isCaughtUpThen: false, lagThen: 64),
        Case(
            testDescription: "more is known to wait", flight: (64, .seconds(3)), isCaughtUp: false, lag: 3000,
            stalled: stall(64, 3, wasCaughtUp: false), isCaughtUpThen: false, lagThen: 3000),
        Case(
            testDescription: "the lag is not known", flight: (64, .seconds(3)), lag: nil, stalled: stall(64, 3),
            isCaughtUpThen: false, lagThen: 64),
        Case(
            testDescription: "the batch is new, but another stream's has waited behind the one before",
            flight: (5, .zero), undelivered: (12, .seconds(9)), stalled: stall(12, 9), isCaughtUpThen: false,
            lagThen: 12),
        Case(testDescription: "another stream's batch waits for a moment", undelivered: (12, .seconds(1))),
    ]

    @Test(
        "A batch in flight for longer than the grace period means not caught up, and the lag is reported",
        arguments: cases)
    func status(_ it: Case) {
        let now = ContinuousClock.now
        var source = SourceStatus(state: .reading, isCaughtUp: it.isCaughtUp)
        source.lagEntries = it.lag
        source.undelivered = it.undelivered.map { UndeliveredEntries(count: $0.count, since: now - $0.age) }
        let status = source.during(
            batchOf: it.flight?.entries ?? 0, since: it.flight.map { now - $0.age }, stage: "hook", now: now)
        #expect(status.stalled == it.stalled)
        #expect(status.isCaughtUp == it.isCaughtUpThen)
        #expect(status.lagEntries == it.lagThen)
    }
}
