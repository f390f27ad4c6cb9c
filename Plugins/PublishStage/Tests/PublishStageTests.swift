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

    @Test("A channel gets each value in the form of its type, and a stream gets its text")
    func types() async throws {
        let types: [(String, FieldType, String, String)] = [
            ("a", .double, " 31.50", #""a":31.5"#), ("b", .double, "31.50", #""b":31.50"#),
            ("c", .double, "+7", #""c":7.0"#), ("d", .bool, "1", #""d":true"#), ("e", .integer, "007", #""e":7"#),
            ("f", .unsigned, "18446744073709551615", #""f":18446744073709551615"#),
            ("g", .timestamp(.milliseconds), "1700000000250", #""g":"2023-11-14T22:13:20.25Z""#),
            ("h", .timestamp(.text), "2023-11-14T23:13:20+01:00", #""h":"2023-11-14T22:13:20Z""#),
            ("i", .duration(.text), "1m30s", #""i":"90s""#), ("j", .bytes, "hi", #""j_b64":"aGk=""#),
            ("k", .json, "[1,\n {\"x\": \"\u{202E}\"}]", #""k":[1, {"x": "\u202e"}]"#), ("l", .text, "5", #""l":"5""#),
        ]
        var fixture = StageFixture(fields: types.map(\.0), publisher: self.publisher)
        fixture.types = Dictionary(uniqueKeysWithValues: types.map { ($0.0, $0.1) })
        let entry = SampleEntry(bytes: types.map { (Array($0.0.utf8), Array($0.2.utf8)) })
        for target in ["channel", "stream"] {
            _ = try await StageHarness(PublishStage.self, .mapping([(target, .text("t"))]), in: fixture).feed(entry)
        }
        let json = "{\(types.map(\.3).joined(separator: ","))}"
        #expect(
            self.publisher.messages == [
                .text(channel: "t", payload: Array(json.utf8)),
                .entry(stream: "t", maxLength: nil, fields: types.map { OutgoingMessage.Field($0.0, $0.2) }),
            ])
    }

    @Test("Fields in the name of a stream or channel stand for their values")
    func templates() async throws {
        for (kind, settings) in [
            ("stream", ["stream": "{{a}}:{id}:x", "fields": ["amount"]]),
            ("channel", ["channel": "{{a}}:{id}:x", "fields": ["amount"]]),
        ] as [(String, SettingNode)] {
            let publisher = RecordingPublisher()
            let fixture = StageFixture(fields: ["id", "amount"], publisher: publisher)
            let harness = try StageHarness(PublishStage.self, settings, in: fixture)
            let reports = try await harness.feed(
                SampleEntry(["id": "1", "amount": "5"]), SampleEntry(["amount": "5"]),
                SampleEntry(["id": "", "amount": "5"]),
                SampleEntry(bytes: [(Array("id".utf8), [0xFF]), (Array("amount".utf8), [0x35])]),
                SampleEntry(["id": String(repeating: "x", count: 1025), "amount": "5"]),
                SampleEntry(["id": "é/ 2", "amount": "5"]))
            #expect(
                publisher.messages.map { message in
                    switch message {
                    case .entry(let stream, _, _): stream
                    case .text(let channel, _): channel
                    }
                } == ["{a}:1:x", "{a}:é/ 2:x"])
            #expect(
                reports.map(\.failureMessage) == [
                    nil, "publish: \(kind): id is missing", "publish: \(kind): id is empty",
                    "publish: \(kind): the name is not valid UTF-8",
                    "publish: \(kind): the value is too long: the maximum is 1024 bytes", nil,
                ])
        }
    }

    @Test("The number of different streams is bounded; one that was used before stays usable")
    func targets() async throws {
        let harness = try self.makeHarness(["stream": "s:{id}", "max_targets": "2"])
        for _ in 0..<2 {
            let reports = harness.process(["a", "b", "c", "a", "d", "b"].map { SampleEntry(["id": $0]) })
            let message = "publish: more than 2 different streams: raise max_targets if that is intended"
            #expect(reports.map(\.failureMessage) == [nil, nil, message, nil, message, nil])
        }
        let byDefault = try self.makeHarness(["stream": "s:{id}"])
        let reports = byDefault.process((0...1000).map { SampleEntry(["id": "\($0)"]) })
        #expect(reports.filter { $0.failure != nil }.map(\.id) == [reports[1000].id])
    }

    @Test("A name with fields keeps the contract of stages")
    func templateConformance() async {
        let violations = await StageConformance.check(
            PublishStage.self, ["stream": "s:{id}", "max_targets": "1"],
            entries: [SampleEntry(["id": "a"]), SampleEntry(["amount": "1"]), SampleEntry(["id": "b"])],
            in: self.fixture)
        #expect(violations == [])
    }

    @Test("Errors in a name with fields are reported with their position")
    func templateMistakes() {
        var fixture = self.fixture
        fixture.secrets = ["amount"]
        for (settings, message) in [
            (
                ["stream": .text("s:{idd}").at(2, 9)],
                "2:9: publish: no earlier stage provides the field \"idd\" (did you mean id?)"
            ),
            (
                ["channel": .text("s:{id").at(2, 9)],
                "2:9: publish: channel: a { without } (write {{ for a literal brace)"
            ),
            (
                ["stream": .text("s:{amount}").at(2, 9)],
                "2:9: publish: the field \"amount\" is secret, but the name of a stream or channel would show it"
            ),
            (
                ["stream": "s", "max_targets": .text("5").at(3, 4)],
                "3:4: publish: max_targets requires a field in braces in stream or channel"
            ),
        ] as [(SettingNode, String)] {
            #expect(StageHarness<PublishStage>.mistakes(settings, in: fixture) == [message])
        }
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
