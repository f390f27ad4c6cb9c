import SetStage
import StageKit
import StageTestKit
import Testing

@Suite struct SetStageTests {
    private let fixture = StageFixture(fields: ["id", "region"])

    private func report(_ settings: SettingNode, _ fields: KeyValuePairs<String, String>) throws -> EventReport {
        try StageHarness(SetStage.self, settings, in: self.fixture).process([SampleEntry(fields)])[0]
    }

    @Test("Set keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            SetStage.self, ["source": "web", "label": "{region}/{id}", "copy": "{id}"],
            entries: [SampleEntry(["id": "1", "region": "eu"]), SampleEntry([:])], in: self.fixture)
        #expect(violations == [])
    }

    @Test(
        "A value is text in which field names in braces are replaced by their values",
        arguments: [
            ("web", "web"), ("", ""), ("{region}/{id}", "eu/7"), ("{id}{id}", "77"), ("<{id}>", "<7>"),
            ("{{id}}", "{id}"), ("{{{id}}}", "{7}"), ("a}}b{{", "a}b{"), ("${id}", "$7"), ("ä {id} 😀", "ä 7 😀"),
        ])
    func templates(template: String, value: String) throws {
        let report = try self.report(["x": .text(template)], ["id": "7", "region": "eu"])
        #expect(report.ending == .next)
        #expect(report.text("x") == value)
    }

    @Test("A field without a value is empty in a text, and alone leaves the other without a value")
    func absent() throws {
        let report = try self.report(["label": "<{region}>", "region": "{id}", "copy": "{region}"], ["region": "eu"])
        #expect(report.text("label") == "<eu>")
        #expect(report.values["region"] == nil)
        #expect(report.values["copy"] == nil)
        #expect(try self.report(["label": "<{region}>"], [:]).text("label") == "<>")
    }

    @Test("A later value sees earlier ones, and a value can refer to itself")
    func order() throws {
        let report = try self.report(["a": "{id}!", "id": "{a}{a}"], ["id": "7"])
        #expect(report.text("a") == "7!")
        #expect(report.text("id") == "7!7!")
    }

    @Test("Values of many events do not run into each other, and bytes that are not UTF-8 are kept")
    func batch() throws {
        let harness = try StageHarness(SetStage.self, ["label": "{region}-{id}"], in: self.fixture)
        let entries = (0..<300).map { SampleEntry(["id": "\($0)", "region": String(repeating: "r", count: $0)]) }
        for (index, report) in harness.process(entries).enumerated() {
            #expect(report.text("label") == String(repeating: "r", count: index) + "-\(index)")
            #expect(report.text("id") == "\(index)")
        }
        let raw = SampleEntry(bytes: [(Array("id".utf8), [0xFF, 0x00])])
        #expect(harness.process([raw])[0].values["label"]?.bytes == [0x2D, 0xFF, 0x00])
    }

    @Test("A value put together is at most 4096 bytes; a copy may be of any length")
    func limit() throws {
        let fits = String(repeating: "x", count: 4095)
        #expect(try self.report(["a": "{id}!"], ["id": fits]).text("a") == fits + "!")
        let report = try self.report(["copy": "{id}", "a": "{id}!"], ["id": fits + "x"])
        #expect(report.failureMessage == "set: a: the value is too long: the maximum is 4096 bytes")
        #expect(report.failure?.reason == "set_failure")
        #expect(report.text("copy") == fits + "x")
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            ([:], ["1:1: set: expected names with values, found none"]),
            (["a": .list([]).at(2, 6)], ["2:6: set: a: expected text, found a list"]),
            (
                ["a": .text("{id").at(3, 6)],
                ["3:6: set: a: a { without } (write {{ for a literal brace)"]
            ),
            (
                ["a": .text("{i{id}}").at(3, 6)],
                ["3:6: set: a: a { without } (write {{ for a literal brace)"]
            ),
            (
                ["a": .text("id}").at(3, 6)],
                ["3:6: set: a: a } without { (write }} for a literal brace)"]
            ),
            (["a": .text("{ }").at(3, 6)], ["3:6: set: a: expected the name of a field between { and }"]),
            (
                ["a": .text("{regoin}").at(3, 6)],
                ["3:6: set: no earlier stage provides the field \"regoin\" (did you mean region?)"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<SetStage>.mistakes(settings, in: self.fixture) == messages)
    }
}
