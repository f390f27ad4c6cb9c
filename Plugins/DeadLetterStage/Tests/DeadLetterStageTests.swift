import StageKit
import StageTestKit
import Testing

@testable import DeadLetterStage

@Suite struct DeadLetterStageTests {
    private let publisher = RecordingPublisher()
    private let fixture: StageFixture

    init() {
        self.fixture = StageFixture(fields: ["id"], publisher: self.publisher)
    }

    private func makeHarness(_ settings: SettingNode = [:]) throws -> StageHarness<DeadLetterStage> {
        try StageHarness(DeadLetterStage.self, settings, in: self.fixture)
    }

    private static var failure: StageFailure {
        var failure = StageFailure("webhook: the server answered 500", reason: "webhook_failure")
        failure.stage = "webhook"
        failure.attempts = 4
        return failure
    }

    @Test("dead_letter keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            DeadLetterStage.self, [:], entries: [SampleEntry(["id": "a"], failure: Self.failure)], in: self.fixture)
        #expect(violations == [])
    }

    @Test("A dead-letter entry holds the failure and the original, byte for byte and with repeated names")
    func entry() async throws {
        let harness = try self.makeHarness()
        let entry = SampleEntry(
            bytes: [([0xFF, 0x00], [0x0D, 0x0A]), (Array("stream".utf8), []), ([0xFF, 0x00], [])],
            id: EntryID(milliseconds: 7, sequence: 0), failure: Self.failure)
        let reports = try await harness.feed(entry)
        #expect(reports[0].ending == .finished(.deadLettered, reason: "put_aside"))
        #expect(reports[0].effects == ["dead_letter"])
        let prefix = Array("field:".utf8)
        #expect(
            self.publisher.messages == [
                .entry(
                    stream: "test:events:dead", maxLength: 100_000,
                    fields: [
                        OutgoingMessage.Field("pipeline", "test"), OutgoingMessage.Field("stream", "test:events"),
                        OutgoingMessage.Field("id", "7-0"), OutgoingMessage.Field("stage", "webhook"),
                        OutgoingMessage.Field("reason", "webhook_failure"),
                        OutgoingMessage.Field("error", "webhook: the server answered 500"),
                        OutgoingMessage.Field("attempts", "4"), OutgoingMessage.Field("time_ms", "1700000000000"),
                        OutgoingMessage.Field(name: prefix + [0xFF, 0x00], value: [0x0D, 0x0A]),
                        OutgoingMessage.Field(name: prefix + Array("stream".utf8), value: []),
                        OutgoingMessage.Field(name: prefix + [0xFF, 0x00], value: []),
                    ])
            ])
    }

    @Test("A dead-letter entry says that a stage added the event, and that a part of the original is missing")
    func origin() {
        let batch = EventBatch()
        batch.stream = "orders"
        batch.append(id: EntryID(milliseconds: 1, sequence: 0), fields: [(Array("a".utf8), Array("x".utf8))])
        batch.refuse(StageFailure("too large"), isPartial: true)
        batch.prepareCells(fieldCount: 1)
        EmittedEvents(batch).add(
            id: EntryID(milliseconds: 9, sequence: 4), fields: [(Array("total".utf8), Array("7".utf8))]
        ) { _ in }
        let entries = (0..<2).map { index in
            batch.withEvent(at: index) { event in
                DeadLetter.fields(of: event, pipeline: "p", milliseconds: 5).map {
                    "\(String(decoding: $0.name, as: UTF8.self)) \(String(decoding: $0.value, as: UTF8.self))"
                }
            }
        }
        #expect(
            entries[0] == [
                "pipeline p", "stream orders", "id 1-0", "incomplete true", "reason refused", "error too large",
                "attempts 1", "time_ms 5", "field:a x",
            ])
        #expect(
            entries[1] == [
                "pipeline p", "stream orders", "id 9-4", "added true", "attempts 1", "time_ms 5", "field:total 7",
            ])
    }

    @Test("An event that has not failed is dead-lettered without stage, reason and error")
    func healthy() async throws {
        let reports = try await self.makeHarness(["stream": "aside", "max_length": "5"])
            .feed(SampleEntry(["id": "a"]), SampleEntry(["id": "b"]))
        #expect(reports.allSatisfy { $0.ending == .finished(.deadLettered, reason: "put_aside") })
        #expect(self.publisher.calls == 1)
        guard case .entry("aside", 5, let fields) = self.publisher.messages.first else {
            Issue.record("\(self.publisher.messages)")
            return
        }
        let names = fields.map { String(decoding: $0.name, as: UTF8.self) }
        #expect(names == ["pipeline", "stream", "id", "attempts", "time_ms", "field:id"])
    }

    @Test("If the dead-letter entry is refused, this stage fails and the event has no outcome")
    func refused() async throws {
        self.publisher.refuse(0, with: PublishFailure("XADD: no room"))
        let reports = try await self.makeHarness().feed(
            SampleEntry(["id": "a"], failure: Self.failure), SampleEntry(["id": "b"], failure: Self.failure))
        #expect(reports[0].failureMessage == "dead_letter: XADD: no room")
        #expect(reports[0].failure?.reason == "dead_letter_failure")
        #expect(reports[0].effects == [] && reports[0].settled == nil)
        #expect(reports[1].ending == .finished(.deadLettered, reason: "put_aside"))
    }

    @Test("A very long error is cut")
    func longError() async throws {
        let failure = StageFailure(String(repeating: "é", count: 10_000))
        _ = try await self.makeHarness().feed(SampleEntry(["id": "a"], failure: failure))
        guard case .entry(_, _, let fields) = self.publisher.messages.first else { return }
        let error = try #require(fields.first { $0.name == Array("error".utf8) })
        #expect(error.value.count == 4096)
    }

    @Test("Invalid settings are reported with their position")
    func mistakes() {
        #expect(
            StageHarness<DeadLetterStage>.mistakes(
                ["stream": .text(" ").at(2, 3), "max_length": .text("0").at(4, 5)], in: self.fixture) == [
                    "2:3: dead_letter: stream: must not be blank",
                    "4:5: dead_letter: max_length: 0 is out of range: the minimum is 1",
                ])
        #expect(
            StageHarness<DeadLetterStage>.mistakes([:], in: StageFixture(publisher: nil)) == [
                "1:1: dead_letter: there is no server to send messages to: add the section redis"
            ])
    }
}
