import ComponentKit
import StageKit
import StageTestKit
import Testing

@testable import Operations

@Suite struct ReadinessTests {
    @Test(
        "A worker is ready when it reads and has caught up, and otherwise reports the reasons",
        arguments: [
            (SourceStatus(), ["the source has not started"]),
            (SourceStatus(state: .connecting), ["not connected to the source"]),
            (
                SourceStatus(state: .connecting, lastError: "refused", isCaughtUp: true),
                ["not connected to the source: refused"]
            ),
            (SourceStatus(state: .reading), ["catching up with the stream"]),
            (SourceStatus(state: .reading, lastError: "an old one", isCaughtUp: true), []),
            (SourceStatus(state: .stopped, isCaughtUp: true), ["the source has stopped"]),
        ])
    func reasons(status: SourceStatus, reasons: [String]) {
        #expect(Readiness.reasons(status) == reasons)
    }

    @Test("A worker is not ready while its stores are filled, nor when freshness is too old")
    func stores() {
        let store = RecordingStore(name: "sessions", key: "id")
        var status = SourceStatus(state: .reading, isCaughtUp: true)
        #expect(Readiness.reasons(status, stores: ["sessions": store]) == [])
        status.isFilling = true
        #expect(Readiness.reasons(status) == ["filling the stores"])
        status.isFilling = false
        store.freshness?.setLimit(.seconds(3600))
        #expect(
            Readiness.reasons(status, stores: ["sessions": store])
                == ["store sessions: the store's freshness has not been confirmed yet"])
        store.freshness?.prove(at: .now)
        #expect(Readiness.reasons(status, stores: ["sessions": store]) == [])
    }

    @Test(
        "A worker with a stalled batch is not ready, and the reason stays the same while it is",
        arguments: [
            (SourceStatus.State.reading, true, true, [Self.stall]),
            (.reading, true, false, ["catching up with the stream", Self.stall]),
            (.connecting, true, true, ["not connected to the source", Self.stall]),
            (.stopped, true, true, ["the source has stopped"]),
            (.reading, false, true, []),
        ] as [(SourceStatus.State, Bool, Bool, [String])])
    func stalled(state: SourceStatus.State, isStalled: Bool, wasCaughtUp: Bool, reasons: [String]) {
        var status = SourceStatus(state: state, isCaughtUp: !isStalled)
        for seconds in [3, 300] where isStalled {
            status.stalled = StalledBatch(
                entries: 64, duration: .seconds(seconds), stage: "webhook", wasCaughtUp: wasCaughtUp)
            #expect(Readiness.reasons(status) == reasons)
        }
        if !isStalled { #expect(Readiness.reasons(status) == reasons) }
    }

    private static let stall = "64 entries have been in flight for more than 2s (stage \"webhook\")"

    @Test("A source is behind while it fills stores or its last entry is seconds old, not while it is away")
    func behind() {
        var status = SourceStatus(state: .reading, cursor: EntryID(milliseconds: 1_000_000, sequence: 0))
        #expect(!Readiness.isBehind(status, now: 1_001))
        #expect(Readiness.isBehind(status, now: 1_002))
        status.isCaughtUp = true
        #expect(!Readiness.isBehind(status, now: 2_000))
        status.isFilling = true
        #expect(Readiness.isBehind(status, now: 1_000))
        status.state = .connecting
        #expect(!Readiness.isBehind(status, now: 2_000))
    }
}
