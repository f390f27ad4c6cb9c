import StageKit
import Testing

@Suite struct ProgressReporterTests {
    private struct Broken: Error {}

    @Test("A pulse is a step")
    func pulse() {
        let progress = ProgressReporter()
        let before = progress.pulses
        progress.pulse()
        #expect(progress.pulses == before + 1)
        #expect(progress.silentUntil == nil)
    }

    @Test("A wait is declared while it lasts, even if it throws, and its begin and end are steps")
    func waiting() async {
        let progress = ProgressReporter()
        let start = ContinuousClock.now
        await progress.waiting(atMost: .seconds(100)) {
            #expect(progress.pulses == 1)
            #expect((progress.silentUntil ?? start) >= start + .seconds(100))
            await progress.waiting(atMost: .seconds(900)) {
                #expect((progress.silentUntil ?? start) >= start + .seconds(900))
            }
            #expect((progress.silentUntil ?? start) < ContinuousClock.now + .seconds(101))
            await #expect(throws: Broken.self) {
                try await progress.waiting(atMost: .seconds(900)) { () async throws(Broken) in throw Broken() }
            }
        }
        #expect(progress.pulses == 6)
        #expect(progress.silentUntil == nil)
    }
}
