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

    @Test("A field without a value is empty within text; alone it leaves the target without a value")
    func absent() throws {
        let report = try self.report(["label": "<{region}>", "region": "{id}", "copy": "{region}"], ["region": "eu"])
        #expect(report.text("label") == "<eu>")
        #expect(report.values["region"] == nil)
        #expect(report.values["copy"] == nil)
        #expect(try self.report(["label": "<{region}>"], [:]).text("label") == "<>")
    }

    @Test(
        "An expression computes the value",
        arguments: [
            ("int(id) * 3", "21"), ("double(id) / 2.0", "3.5"), ("region + '/' + id", "eu/7"), ("id == '7'", "true"),
            ("base64.decode('aGk=')", "hi"), ("timestamp(int(id))", "1970-01-01T00:00:07Z"),
            ("duration('90m')", "5400s"),
            ("[id, region]", #"["7","eu"]"#), ("{'a': 1.5, 'b': [null, true]}", #"{"a":1.5,"b":[null,true]}"#),
            ("optional.of(region)", "eu"), ("18446744073709551615u", "18446744073709551615"), ("''", ""),
        ])
    func expressions(expression: String, value: String) throws {
        let report = try self.report(["x": ["expr": .text(expression)]], ["id": "7", "region": "eu"])
        #expect(report.ending == .next)
        #expect(report.text("x") == value)
    }

    @Test("An expression without a value removes the field, and one that fails fails the event")
    func expressionFailures() throws {
        for expression in ["null", "optional.none()"] {
            let report = try self.report(["region": ["expr": .text(expression)]], ["id": "7", "region": "eu"])
            #expect(report.values["region"] == nil)
        }
        for (expression, message) in [
            ("region + id", "\"region\" is missing"), ("int(id) / 0", "division by zero"),
            ("[1.0 / 0.0]", "JSON has no number Infinity"),
            ("lists.range(3000).map(x, 'xx').join()", "the value is longer than 4096 bytes"),
        ] {
            let report = try self.report(["x": ["expr": .text(expression)]], ["id": "7"])
            #expect(report.failureMessage == "set: x: \(message)", "\(expression)")
        }
    }

    @Test("A computed value has the type of its expression, and a copy that of its source")
    func typedValues() throws {
        let report = try self.report(
            [
                "half": ["expr": "double(id) / 2.0"], "twice": ["expr": "half * 2.0 > 6.9"], "copy": "{half}",
                "ids": ["expr": "[id]"], "first": ["expr": "ids[0]"], "text": "{half}!",
            ], ["id": "7"])
        #expect(report.ending == .next)
        #expect(report.values["half"]?.typed == .double(3.5))
        #expect(report.values["twice"]?.typed == .bool(true))
        #expect(report.values["copy"] == report.values["half"])
        #expect(report.values["ids"]?.typed == .json)
        #expect(report.text("first") == "7")
        #expect(report.text("text") == "3.5!")
        #expect(report.values["text"]?.typed == nil)
    }

    @Test(
        "A number that is not finite is text in JSON, as the conversion to a string writes it",
        arguments: [("1.0 / 0.0", "Infinity"), ("-1.0 / 0.0", "-Infinity"), ("0.0 / 0.0", "NaN")])
    func numbersBeyondJSON(expression: String, text: String) throws {
        let report = try self.report(["x": ["expr": .text("\(expression) * double(id)")]], ["id": "7"])
        #expect(report.text("x") == text)
        let typed = try #require(report.values["x"]?.typed)
        #expect(JSONText.text(of: typed, written: Array(text.utf8)) == "\"\(text)\"")
    }

    @Test("Later expressions see the type and value of earlier ones")
    func expressionTypes() throws {
        let report = try self.report(["n": ["expr": "int(id) + 1"], "m": ["expr": "n * n"]], ["id": "7"])
        #expect(report.text("m") == "64")
        #expect(report.values["m"]?.integer == 64)
    }

    @Test("A later value sees earlier ones, and a value can refer to itself")
    func order() throws {
        let report = try self.report(["a": "{id}!", "id": "{a}{a}"], ["id": "7"])
        #expect(report.text("a") == "7!")
        #expect(report.text("id") == "7!7!")
    }

    @Test("Values of different events are not mixed, and bytes that are not UTF-8 are kept")
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

    @Test("A composed value is at most 4096 bytes; a copy may have any length")
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
