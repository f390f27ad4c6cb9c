import StageKit
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
}
