import LookupStage
import StageKit
import StageTestKit
import Testing

@Suite struct LookupStageTests {
    private let store = RecordingStore(name: "devices", key: "device")
    private let fixture: StageFixture

    init() {
        self.fixture = StageFixture(fields: ["device", "limit"], stores: [self.store])
        self.hold("d1", [Snapshot.Field(name: "limit", bytes: Array("30".utf8), integer: 30)])
        self.hold("d2", [Snapshot.Field(name: "place", bytes: [0xFF])])
    }

    private func hold(_ key: String, _ fields: [Snapshot.Field]) {
        self.store.hold(Snapshot(entryID: EntryID("1-0")!, key: Array(key.utf8), fields: fields))
    }

    private func settings(_ missing: SettingNode, _ defaults: SettingNode? = nil) -> SettingNode {
        let fields: SettingNode = ["max": "limit", "place": "place"]
        if let defaults {
            return ["store": "devices", "key": "device", "fields": fields, "missing": missing, "defaults": defaults]
        }
        return ["store": "devices", "key": "device", "fields": fields, "missing": missing]
    }

    @Test("Lookup keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            LookupStage.self, self.settings("pass"),
            entries: [SampleEntry(["device": "d1"]), SampleEntry(["device": "none"]), SampleEntry([:])],
            in: self.fixture)
        #expect(violations == [])
    }

    @Test("Values are added to the event byte for byte, and numbers remain numbers")
    func values() throws {
        let harness = try StageHarness(LookupStage.self, self.settings("pass"), in: self.fixture)
        let reports = harness.process([SampleEntry(["device": "d1"]), SampleEntry(["device": "d2"])])
        #expect(reports[0].text("max") == "30")
        #expect(reports[0].values["max"]?.integer == 30)
        #expect(reports[0].values["place"] == nil)
        #expect(reports[1].values["max"] == nil)
        #expect(reports[1].values["place"]?.bytes == [0xFF])
    }

    @Test("With missing: fail, an event fails without a snapshot or without one of the values, and gets no value")
    func fails() throws {
        let harness = try StageHarness(LookupStage.self, self.settings("fail"), in: self.fixture)
        let reports = harness.process([
            SampleEntry(["device": "none"]), SampleEntry(["device": "d1"]), SampleEntry(["limit": "1"]),
            SampleEntry(["device": ""]),
        ])
        #expect(
            reports.map(\.failureMessage) == [
                "lookup: devices has no snapshot of device", "lookup: the snapshot of device has no place",
                "lookup: device is missing", "lookup: device is empty",
            ])
        #expect(reports.allSatisfy { $0.failure?.reason == "lookup_failure" && $0.values["max"] == nil })
    }

    @Test("An event without a key fails, whatever happens to a missing value", arguments: ["pass", "fail", "default"])
    func withoutKey(missing: String) throws {
        let defaults: SettingNode? = missing == "default" ? ["max": "10", "place": ""] : nil
        let harness = try StageHarness(LookupStage.self, self.settings(.text(missing), defaults), in: self.fixture)
        let reports = harness.process([SampleEntry([:]), SampleEntry(["device": ""])])
        #expect(reports.map(\.failureMessage) == ["lookup: device is missing", "lookup: device is empty"])
    }

    @Test("With missing: default, each missing value is replaced")
    func defaults() throws {
        let harness = try StageHarness(
            LookupStage.self, self.settings("default", ["max": "10", "place": ""]), in: self.fixture)
        let reports = harness.process([SampleEntry(["device": "none"]), SampleEntry(["device": "d1"])])
        #expect(reports.map { $0.text("max") } == ["10", "30"])
        #expect(reports.map { $0.text("place") } == ["", ""])
    }

    @Test("A later event sees the change of an earlier one")
    func order() throws {
        let harness = try StageHarness(LookupStage.self, self.settings("pass"), in: self.fixture)
        #expect(harness.process([SampleEntry(["device": "d3"])])[0].values["max"] == nil)
        self.hold("d3", [Snapshot.Field(name: "limit", bytes: [0x37])])
        #expect(harness.process([SampleEntry(["device": "d3"])])[0].text("max") == "7")
    }

    @Test(
        "Invalid settings are reported with their position",
        arguments: [
            (["key": "device", "fields": ["a": "b"]], ["1:1: lookup: missing setting \"store\" (or hash)"]),
            (
                ["store": .text("device").at(2, 9), "key": "device", "fields": ["a": "b"]],
                ["2:9: lookup: no store \"device\" is declared under stores (did you mean devices?)"]
            ),
            (
                ["store": "devices", "key": .text("devcie").at(3, 9), "fields": ["a": "b"]],
                ["3:9: lookup: no earlier stage provides the field \"devcie\" (did you mean device?)"]
            ),
            (
                ["store": "devices", "key": "device", "fields": ["a": "b"], "missing": .text("default").at(4, 9)],
                ["1:1: lookup: missing: default needs a value for \"a\" in defaults"]
            ),
            (
                ["store": "devices", "key": "device", "fields": ["a": "b"], "defaults": ["a": "1"]],
                ["1:1: lookup: defaults are used only with missing: default"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<LookupStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
