import ComponentKit
import StageKit
import StageTestKit
import Testing

@testable import Operations
@testable import PipelineEngine

@Suite struct AdviceTests {
    @Test(
        "Each reason for not being ready has its own text",
        arguments: [
            (SourceStatus(), "Starting"), (SourceStatus(state: .connecting, lastError: "refused"), "Not connected"),
            (SourceStatus(state: .stopped), "Stopped"),
            (SourceStatus(state: .reading, cursor: EntryID(milliseconds: 5000, sequence: 0)), "Catching up"),
            (SourceStatus(state: .reading, isCaughtUp: true), "No problems"),
        ])
    func states(status: SourceStatus, title: String) {
        let advice = Advice.all(status, stores: [:], reloads: PipelineReloads(), now: 100)
        #expect(advice.first?.title == title)
        #expect((advice.first?.level == .good) == Readiness.reasons(status).isEmpty)
        if let error = status.lastError { #expect(advice.first?.text.contains(error) == true) }
    }

    @Test("A worker that lags for a moment counts as healthy")
    func passing() {
        let status = SourceStatus(state: .reading, cursor: EntryID(milliseconds: 99_500, sequence: 0))
        #expect(Advice.all(status, stores: [:], reloads: PipelineReloads(), now: 100).map(\.level) == [.good])
    }

    @Test("Filling, losses and a refused reload are reported, the most severe first")
    func several() {
        var status = SourceStatus(state: .reading)
        status.isFilling = true
        status.gaps = ["trimmed": 2]
        var reloads = PipelineReloads()
        reloads.lastError = "pipeline.yaml:1:1: wrong\nmore"
        let advice = Advice.all(status, stores: [:], reloads: reloads, now: 100)
        #expect(
            advice.map(\.title) == [
                "Filling the stores", "Entries were lost before they were read", "The last reload was refused",
            ])
        #expect(advice[1].text.contains("trimmed 2"))
        #expect(!advice[2].text.contains("more"))
    }
}
