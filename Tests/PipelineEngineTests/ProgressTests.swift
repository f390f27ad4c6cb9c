import ComponentKit
import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing

@Suite struct SilenceWatchTests {
    /// A sample of a run: when, what has changed with its steps, and what it may do.
    typealias Sample = (at: Int, pulses: UInt64, until: Int?, patience: Int, silence: Int)

    @Test(
        "A run is silent from its last step, its declared wait or its patience, whichever ends last",
        arguments: [
            [(0, 1, nil, 0, 0), (5, 1, nil, 0, 5), (9, 1, nil, 0, 9), (10, 2, nil, 0, 0), (12, 2, nil, 0, 2)],
            [(0, 1, 60, 0, 0), (59, 1, 60, 0, 0), (61, 1, 60, 0, 1), (70, 1, 90, 0, 0), (95, 1, nil, 0, 95)],
            [(0, 1, nil, 10, 0), (10, 1, nil, 10, 0), (11, 1, nil, 10, 1), (12, 1, nil, 0, 12)],
            [(0, 1, 5, 10, 0), (8, 1, 5, 10, 0), (12, 1, 5, 10, 2)],
        ] as [[Sample]])
    func silence(samples: [Sample]) {
        var watch = SilenceWatch()
        let start = ContinuousClock.now
        for sample in samples {
            let activity = PipelineActivity(
                steps: PipelineActivity.Steps(batch: nil, pulses: sample.pulses, source: 7),
                silentUntil: sample.until.map { start + .seconds($0) }, patience: .seconds(sample.patience))
            #expect(watch.silence(activity, now: start + .seconds(sample.at)) == .seconds(sample.silence))
        }
    }
}

/// Waits for the publisher within a declared bound.
private final class DeclaringStage: Stage {
    static let declaration = StageDeclaration(
        name: "declaring", summary: "Waits within a bound.", settings: .object(SettingsSchema(true, [])),
        example: "declaring: {}", failureReason: "declaring_failure", waits: true)

    private let publisher: (any MessagePublisher)?
    private let progress: ProgressReporter

    init(_ settings: Bool, _ setup: StageSetup) {
        self.publisher = setup.publisher()
        self.progress = setup.progress
    }

    func process(_ event: inout Event) -> Verdict { .wait }

    func complete(_ events: WaitingEvents) async throws {
        try await self.progress.waiting(atMost: .seconds(3600)) { _ = try await self.publisher?.publish([]) }
    }
}

/// A source whose readers go on beside the batch that it delivers: each look at it is a step.
private final class BusySource: EventSource {
    let stream = "busy"
    private let steps = OrderedMutex<UInt64>(0)

    func run(_ deliver: (EventBatch) async throws -> Void) async throws {
        let batch = EventBatch()
        batch.append(id: EntryID(milliseconds: 1, sequence: 0), fields: [(Array("a".utf8), Array("b".utf8))])
        try await deliver(batch)
    }

    func stop() {}

    var status: SourceStatus {
        var status = SourceStatus(state: .reading)
        status.patience = .seconds(7)
        status.pulses = self.steps.withLock { steps in
            steps += 1
            return steps
        }
        return status
    }
}

@Suite struct ProgressTests {
    /// Runs a pipeline until its stage waits, lends it, and lets it go on.
    private func withWaiting(_ stage: String, _ body: (Pipeline) -> Void) async throws {
        let gate = GatePublisher()
        var catalogue = Probes.catalogue()
        catalogue.add(SendStage.self)
        catalogue.add(DeclaringStage.self)
        let nothing = SettingType<Bool>.object(SettingsSchema(true, []))
        catalogue.add(SourceType(name: "busy", summary: "Busy.", settings: nothing) { _, _ in BusySource() })
        var services = PipelineServices(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        services.publisher = gate
        let pipeline = try Pipeline(
            text: Array("pipeline: test\nsource: { busy: {} }\nstages:\n  - \(stage)\n".utf8), file: "p.yaml",
            catalogue: catalogue, services: services)
        #expect(pipeline.activity.patience == .seconds(7))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pipeline.run() }
            while gate.calls == 0 { try await Task.sleep(for: .milliseconds(1)) }
            body(pipeline)
            gate.open()
            try await group.waitForAll()
        }
    }

    @Test(
        "A stage that waits without reporting hangs, whatever the source's readers do meanwhile",
        arguments: ["send: {}", "send: { at_end: true }"])
    func silent(stage: String) async throws {
        try await self.withWaiting(stage) { pipeline in
            var watch = SilenceWatch()
            let start = ContinuousClock.now
            #expect(watch.silence(pipeline.activity, now: start) == .zero)
            #expect(watch.silence(pipeline.activity, now: start + .seconds(90)) == .seconds(90))
        }
    }

    @Test("A wait within a declared bound is not a hang, a longer one is")
    func declared() async throws {
        try await self.withWaiting("declaring: {}") { pipeline in
            var watch = SilenceWatch()
            let start = ContinuousClock.now
            #expect(watch.silence(pipeline.activity, now: start) == .zero)
            #expect(watch.silence(pipeline.activity, now: start + .seconds(3500)) == .zero)
            #expect(watch.silence(pipeline.activity, now: start + .seconds(3700)) >= .seconds(90))
        }
    }

    @Test("Each event that a stage handles or decides is a step")
    func events() async throws {
        let progress = ProgressReporter()
        let (batch, events) = (EventBatch(), WaitingEvents(progress: progress))
        batch.append(id: EntryID(milliseconds: 1, sequence: 0), fields: [(Array("a".utf8), Array("b".utf8))])
        batch.prepareCells(fieldCount: 1)
        events.add(0, of: batch)
        var seen = progress.pulses
        for step in [
            { events.withEvent(at: 0) { _ in } }, { events.fail(at: 0, StageFailure("no")) },
            { events.finish(at: 0, .skipped, GraphNames().reason("enough")) },
        ] {
            step()
            #expect(progress.pulses > seen)
            seen = progress.pulses
        }
    }

    @Test("The delay before a stage is tried again is declared")
    func retry() async throws {
        let pipeline = try Probes.pipeline(
            "pipeline: test\nsource: { memory: {} }\nstages:\n  - probe: { fail_on: 1-0 }\n"
                + "    on_failure: { retry: { attempts: 2, backoff: 60s, max_backoff: 60s } }\n",
            entries: [MemorySource.Entry(1, ["a": "b"])])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pipeline.run() }
            while pipeline.activity.silentUntil == nil { try await Task.sleep(for: .milliseconds(1)) }
            var watch = SilenceWatch()
            let start = ContinuousClock.now
            #expect(watch.silence(pipeline.activity, now: start) == .zero)
            #expect(watch.silence(pipeline.activity, now: start + .seconds(25)) == .zero)
            #expect(watch.silence(pipeline.activity, now: start + .seconds(7200)) > .seconds(7000))
            group.cancelAll()
            _ = try? await group.next()
        }
    }
}
