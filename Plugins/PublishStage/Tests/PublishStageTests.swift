import PublishStage
import StageKit
import StageTestKit
import Testing

@Suite struct PublishStageTests {
    private struct Away: Error {}

    private let publisher = RecordingPublisher()
    private let fixture: StageFixture

    init() {
        self.fixture = StageFixture(fields: ["id", "amount"], publisher: self.publisher)
    }

    private func makeHarness(_ settings: SettingNode) throws -> StageHarness<PublishStage> {
        try StageHarness(PublishStage.self, settings, in: self.fixture)
    }

    @Test("Publish keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            PublishStage.self, ["stream": "out"], entries: [SampleEntry(["id": "a"]), SampleEntry([:])],
            in: self.fixture)
        #expect(violations == [])
    }

    @Test("A stream gets an entry for each event, in order and in one call, with the fields the event has")
    func stream() async throws {
        let harness = try self.makeHarness(["stream": "out", "max_length": "9"])
        let reports = try await harness.feed(
            SampleEntry(["amount": "5", "id": "a", "other": "x"]), SampleEntry(["id": "b"]))
        #expect(reports.allSatisfy { $0.ending == .next && $0.effects == ["publish"] })
        #expect(
            self.publisher.messages == [
                .entry(
                    stream: "out", maxLength: 9,
                    fields: [OutgoingMessage.Field("id", "a"), OutgoingMessage.Field("amount", "5")]),
                .entry(stream: "out", maxLength: 9, fields: [OutgoingMessage.Field("id", "b")]),
            ])
        #expect(self.publisher.calls == 1)
    }

    @Test("The entry's own fields go out byte for byte, repeated names included")
    func entry() async throws {
        let harness = try self.makeHarness(["stream": "out", "fields": "entry"])
        let field = OutgoingMessage.Field(name: [0xFF], value: [0x00])
        _ = try await harness.feed(SampleEntry(bytes: [([0xFF], [0x00]), ([0xFF], [0x00])]))
        #expect(self.publisher.messages == [.entry(stream: "out", maxLength: nil, fields: [field, field])])
    }

    @Test("A channel gets a JSON object of the named fields")
    func channel() async throws {
        let harness = try self.makeHarness(["channel": "c", "fields": ["amount", "id"]])
        _ = try await harness.feed(
            SampleEntry(bytes: [(Array("id".utf8), [0xFF]), (Array("amount".utf8), Array("\"\n".utf8))]))
        #expect(
            self.publisher.messages == [
                .text(channel: "c", payload: Array(#"{"amount":"\"\n","id_b64":"/w=="}"#.utf8))
            ])
    }

    @Test("A refused message fails only its event")
    func refused() async throws {
        let harness = try self.makeHarness(["stream": "out"])
        self.publisher.refuse(1, with: PublishFailure("XADD: the server replied \"OOM\""))
        let reports = try await harness.feed(
            SampleEntry(["id": "a"]), SampleEntry(["id": "b"]), SampleEntry(["id": "c"]))
        #expect(reports.map(\.effects) == [["publish"], [], ["publish"]])
        #expect(reports[1].failureMessage == "publish: XADD: the server replied \"OOM\"")
        #expect(reports[1].failure?.reason == "publish_failure")
    }

    @Test("An event without any of the fields fails and nothing is sent for it")
    func noFields() async throws {
        let harness = try self.makeHarness(["stream": "out"])
        let reports = try await harness.feed(SampleEntry(["other": "x"]), SampleEntry(["id": "b"]))
        #expect(reports[0].failureMessage == "publish: the event has none of the fields")
        #expect(reports[1].ending == .next)
        #expect(self.publisher.messages.count == 1)
    }

    @Test("An unusable server ends the batch with an error")
    func away() async throws {
        let harness = try self.makeHarness(["stream": "out"])
        self.publisher.fail(with: Away())
        await #expect(throws: Away.self) { try await harness.feed(SampleEntry(["id": "a"])) }
    }

    @Test("Invalid settings are reported with their position")
    func mistakes() {
        func mistakes(_ settings: SettingNode, _ fixture: StageFixture) -> [String] {
            StageHarness<PublishStage>.mistakes(settings, in: fixture)
        }
        #expect(mistakes([:], self.fixture) == ["1:1: publish: missing setting \"stream\" or \"channel\""])
        #expect(
            mistakes(["stream": "a", "channel": .text("b").at(2, 9)], self.fixture) == [
                "2:9: publish: stream and channel are both given: keep one of them"
            ])
        #expect(
            mistakes(["channel": "b", "max_length": .text("5").at(3, 4)], self.fixture) == [
                "3:4: publish: max_length requires a stream, not a channel"
            ])
        #expect(
            mistakes(["stream": "a", "fields": .text("al").at(2, 9)], self.fixture) == [
                "2:9: publish: fields: expected all, entry, or a list of fields, found \"al\" (did you mean all?)"
            ])
        #expect(
            mistakes(["stream": "a", "fields": [.text("idd").at(2, 9)]], self.fixture) == [
                "2:9: publish: no earlier stage provides the field \"idd\" (did you mean id?)"
            ])
        #expect(
            mistakes(["stream": "a"], StageFixture(publisher: nil)) == [
                "1:1: publish: fields: no earlier stage provides a field"
                    + " (use fields: entry for the fields of the entry itself)",
                "1:1: publish: there is no server to send messages to: add the section redis",
            ])
    }
}
