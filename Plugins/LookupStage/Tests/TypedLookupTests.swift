import LookupStage
import StageKit
import StageTestKit
import Testing

/// Values with declared types, and stores that are not up to date.
@Suite struct TypedLookupTests {
    private let store = RecordingStore(name: "devices", key: "device")
    private let fixture: StageFixture

    init() {
        self.fixture = StageFixture(fields: ["device"], stores: [self.store])
    }

    private func hold(_ fields: KeyValuePairs<String, String>) {
        let fields = fields.map { Snapshot.Field(name: $0.key, bytes: Array($0.value.utf8)) }
        self.store.hold(Snapshot(entryID: EntryID("1-0")!, key: Array("d1".utf8), fields: fields))
    }

    private func settings(_ field: SettingNode) -> SettingNode {
        ["store": "devices", "key": "device", "fields": ["value": field]]
    }

    @Test(
        "A value is read as the declared type and keeps its text",
        arguments: [
            (["type": "double"], " 80.50", nil, .double(80.5)),
            (["type": "int64"], "+7", 7, nil),
            (["type": "uint64"], "18446744073709551615", nil, .unsigned(.max)),
            (["type": "bool"], "T", nil, .bool(true)),
            (["type": "string"], "7", nil, nil),
            (["type": "bytes"], "7", nil, .bytes),
            (["type": "timestamp", "format": "ms"], "1500", nil, .timestamp(seconds: 1, nanoseconds: 500_000_000)),
            (["type": "duration"], "1m", nil, .duration(seconds: 60, nanoseconds: 0)),
            (["type": "json"], #"{"a":[1]}"#, nil, .json),
        ] as [(SettingNode, String, Int64?, TypedValue?)])
    func types(field: SettingNode, text: String, integer: Int64?, typed: TypedValue?) throws {
        self.hold(["value": text])
        let harness = try StageHarness(LookupStage.self, self.settings(field), in: self.fixture)
        let report = harness.process([SampleEntry(["device": "d1"])])[0]
        #expect(report.text("value") == text)
        #expect(report.values["value"]?.integer == integer)
        #expect(report.values["value"]?.typed == typed)
    }

    @Test("A number that a store keeps is text if the type is string")
    func string() throws {
        let number = Snapshot.Field(name: "max", bytes: Array("30".utf8), integer: 30)
        self.store.hold(Snapshot(entryID: EntryID("1-0")!, key: Array("d1".utf8), fields: [number]))
        let field: SettingNode = ["field": "max", "type": "string"]
        let harness = try StageHarness(LookupStage.self, self.settings(field), in: self.fixture)
        let report = harness.process([SampleEntry(["device": "d1"])])[0]
        #expect(report.text("value") == "30")
        #expect(report.values["value"]?.integer == nil)
    }

    @Test(
        "A value of another type fails the event with the field, the value and the type",
        arguments: [
            (["type": "double"], "hot", #""hot" is not a number (type double)"#),
            (["type": "int64"], "1.5", #""1.5" is not a whole number (type int64)"#),
            (["type": "int64"], "9223372036854775808", "is out of range for a 64-bit number (type int64)"),
            (["type": "timestamp"], "noon", "is not an RFC 3339 time such as 2026-11-30T12:00:00Z (type timestamp)"),
            (["type": "json"], "[1", "(type json)"),
            (["type": "double", "secret": "true"], "tiger", "[secret] is not a number (type double)"),
        ] as [(SettingNode, String, String)])
    func mismatches(field: SettingNode, text: String, message: String) throws {
        self.hold(["value": text])
        let harness = try StageHarness(LookupStage.self, self.settings(field), in: self.fixture)
        let report = harness.process([SampleEntry(["device": "d1"])])[0]
        #expect(report.failureMessage?.hasPrefix("lookup: devices: value: ") == true)
        #expect(report.failureMessage?.hasSuffix(message) == true, "\(report.failureMessage ?? "")")
        #expect(report.failureMessage?.contains("tiger") == false)
        #expect(report.values["value"] == nil)
    }

    @Test("If one value has another type, no field is set")
    func allOrNothing() throws {
        self.hold(["a": "1", "b": "x"])
        let fields: SettingNode = ["a": ["type": "int64"], "b": ["type": "int64"]]
        let harness = try StageHarness(
            LookupStage.self, ["store": "devices", "key": "device", "fields": fields], in: self.fixture)
        let report = harness.process([SampleEntry(["device": "d1"])])[0]
        #expect(report.failure != nil)
        #expect(report.values["a"] == nil)
    }

    @Test("A default has the type of its field")
    func defaults() throws {
        let settings: SettingNode = [
            "store": "devices", "key": "device", "fields": ["value": ["type": "double"]], "missing": "default",
            "defaults": ["value": "80"],
        ]
        let harness = try StageHarness(LookupStage.self, settings, in: self.fixture)
        let report = harness.process([SampleEntry(["device": "none"])])[0]
        #expect(report.text("value") == "80")
        #expect(report.values["value"]?.typed == .double(80))
    }

    @Test("A value of more than 1 MiB fails the event")
    func large() throws {
        self.hold(["value": String(repeating: "x", count: (1 << 20) + 1)])
        let harness = try StageHarness(LookupStage.self, self.settings("value"), in: self.fixture)
        #expect(
            harness.process([SampleEntry(["device": "d1"])])[0].failureMessage
                == "lookup: devices: value: the value has 1048577 bytes, the maximum is 1048576")
    }

    @Test("An event of a stream that fills the store in order finds what came before it while the store is filled")
    func inOrder() throws {
        self.hold(["value": "1"])
        self.store.setFilling(true, inOrder: true)
        let harness = try StageHarness(LookupStage.self, self.settings("value"), in: self.fixture)
        #expect(harness.process([SampleEntry(["device": "d1"])])[0].text("value") == "1")
    }

    @Test("A store that is filled out of order fails events until it is up to date, whether it has the key or not")
    func stale() throws {
        self.hold(["value": "1"])
        self.store.setFilling(true, inOrder: false)
        var settings = self.settings("value")
        for missing in ["fail", "pass"] {
            settings = ["store": "devices", "key": "device", "fields": ["value": "value"], "missing": .text(missing)]
            let harness = try StageHarness(LookupStage.self, settings, in: self.fixture)
            let reports = harness.process([SampleEntry(["device": "d1"]), SampleEntry(["device": "none"])])
            #expect(
                reports.map(\.failureMessage)
                    == Array(repeating: "lookup: devices: the store is being filled", count: 2))
        }
        let harness = try StageHarness(LookupStage.self, settings, in: self.fixture)
        self.store.setFilling(false, inOrder: false)
        #expect(harness.process([SampleEntry(["device": "d1"])])[0].text("value") == "1")
    }

    @Test("With stale: use, events continue with what the store holds")
    func useStale() throws {
        self.hold(["value": "1"])
        self.store.setFilling(true, inOrder: false)
        let settings: SettingNode = [
            "store": "devices", "key": "device", "fields": ["value": "value"], "stale": "use", "missing": "pass",
        ]
        let harness = try StageHarness(LookupStage.self, settings, in: self.fixture)
        let reports = harness.process([SampleEntry(["device": "d1"]), SampleEntry(["device": "none"])])
        #expect(reports.map { $0.text("value") } == ["1", nil])
    }
}
