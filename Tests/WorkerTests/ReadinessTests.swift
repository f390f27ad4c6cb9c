import StageKit
import StageTestKit
import Testing

@testable import Worker

@Suite struct ReadinessTests {
    @Test(
        "A worker is ready when it reads and has caught up, and says why where it is not",
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

    @Test("A worker is not ready while its stores are filled, nor with news that is too old")
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
                == ["store sessions: there has been no news of the stream yet"])
        store.freshness?.prove(at: .now)
        #expect(Readiness.reasons(status, stores: ["sessions": store]) == [])
    }

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
