import ComponentKit
import Logging
import PipelineEngine
import StageKit
import StageTestKit
import Testing

/// A publisher whose calls wait until the test opens it.
final class GatePublisher: MessagePublisher {
    private let gate = TestGate(isOpen: false)
    private let counted = OrderedMutex(0)

    /// How many calls were made so far.
    var calls: Int { self.counted.withLock(\.self) }

    func publish(_ messages: [OutgoingMessage]) async throws -> [PublishFailure?] {
        self.counted.withLock { $0 += 1 }
        await self.gate.pass()
        return messages.map { _ in nil }
    }

    /// Lets all calls return, those that wait and those to come.
    func open() { self.gate.open() }
}

/// Waits for the publisher, in `complete` or in `endBatch`.
final class SendStage: Stage {
    struct Settings: Sendable {
        var atEnd = false
    }

    static let declaration = StageDeclaration(
        name: "send", summary: "Waits for the publisher.",
        settings: .object(
            SettingsSchema(Settings(), [.optional("at_end", \.atEnd, .boolean, "Waits at the batch's end.")])),
        example: "send: {}", failureReason: "send_failure", waits: true)

    private let settings: Settings
    private let publisher: (any MessagePublisher)?

    init(_ settings: Settings, _ setup: StageSetup) {
        self.settings = settings
        self.publisher = setup.publisher()
    }

    func process(_ event: inout Event) -> Verdict { self.settings.atEnd ? .next : .wait }

    func complete(_ events: WaitingEvents) async throws {
        _ = try await self.publisher?.publish([])
    }

    func endBatch() async throws {
        if self.settings.atEnd { _ = try await self.publisher?.publish([]) }
    }
}

@Suite struct StalledBatchTests {
    @Test(
        "The pipeline reports a waiting stage: in complete, at the end of a batch, and with lanes",
        arguments: [
            ("", "send: {}"), ("", "send: { at_end: true }"), ("lanes: { count: 2, key: a }\n", "send: {}"),
        ])
    func stalled(lanes: String, stage: String) async throws {
        let gate = GatePublisher()
        var catalogue = Probes.catalogue(
            entries: (1...5).map { MemorySource.Entry(UInt64($0), ["a": "\($0)"]) }, batchSize: 5)
        catalogue.add(SendStage.self)
        var services = PipelineServices(logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        services.publisher = gate
        let pipeline = try Pipeline(
            text: Array("pipeline: test\nsource: { memory: {} }\n\(lanes)stages:\n  - \(stage)\n".utf8), file: "p.yaml",
            catalogue: catalogue, services: services)
        #expect(pipeline.status(at: .now + .seconds(60)).stalled == nil)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await pipeline.run() }
            while gate.calls == 0 { try await Task.sleep(for: .milliseconds(1)) }
            let before = pipeline.status(at: .now - .seconds(3600))
            #expect(before.stalled == nil, "a batch counts from when it was taken")
            let status = pipeline.status(at: .now + .seconds(60))
            let stalled = try #require(status.stalled)
            #expect(stalled.entries == 5 && stalled.stage == "send" && stalled.duration >= .seconds(60))
            #expect(!status.isCaughtUp && status.lagEntries == 5)
            gate.open()
            try await group.waitForAll()
        }
        let after = pipeline.status(at: .now + .seconds(60))
        #expect(after.stalled == nil && after.isCaughtUp)
    }

    @Test("A batch that is given up stays in flight: its entries have no outcome")
    func givenUp() async throws {
        let pipeline = try Probes.pipeline(
            "pipeline: test\nsource: { memory: {} }\nstages:\n  - probe: { fail_on: 2-0 }\n    on_failure: halt\n",
            entries: (1...3).map { MemorySource.Entry(UInt64($0), ["a": "\($0)"]) })
        await #expect(throws: PipelineHalt.self) { try await pipeline.run() }
        #expect(pipeline.status(at: .now + .seconds(60)).stalled?.entries == 3)
    }
}
