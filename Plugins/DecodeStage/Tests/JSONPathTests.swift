import DecodeStage
import StageKit
import StageTestKit
import Testing

@Suite struct JSONPathTests {
    private func decode(_ json: String, _ fields: SettingNode, unknown: String = "ignore") throws -> EventReport {
        let settings: SettingNode = ["json": "p", "unknown_fields": .text(unknown), "fields": fields]
        return try StageHarness(DecodeStage.self, settings).process([SampleEntry(["p": json])])[0]
    }

    @Test(
        "A path leads to an element of a list",
        arguments: [
            ("a[0]", #"{"a":[1,2]}"#, "1"), ("a[1]", #"{"a":[1,"2"]}"#, "2"), ("a[2]", #"{"a":[1,2]}"#, nil),
            ("a[1].b", #"{"a":[{"b":1},{"b":"x\ny"}]}"#, "x\ny"), ("a[0][1]", #"{"a":[[1,2]]}"#, "2"),
            ("x.a[0].b.c", #"{"x":{"a":[{"b":{"c":7}}]}}"#, "7"), ("a[0]", #"{"a":null}"#, nil),
            ("a[0]", #"{"a":[null]}"#, nil), ("a[0]", #"{}"#, nil), ("a[0]", #"{"a":[1],"a":[2]}"#, "2"),
            (#"a\[0\]"#, #"{"a[0]":3,"a":[1]}"#, "3"), (#"a\.b[0]"#, #"{"a.b":[4]}"#, "4"),
            (#"\*"#, #"{"*":5}"#, "5"), ("a[00]", #"{"a":[ 6 , 7 ]}"#, "6"),
        ] as [(String, String, String?)])
    func elements(path: String, json: String, value: String?) throws {
        let report = try self.decode(json, ["x": ["path": .text(path)]])
        #expect(report.ending == .next)
        #expect(report.text("x") == value)
    }

    @Test(
        "A path with * leads to the list of all values, as they are written",
        arguments: [
            ("a[*]", #"{"a":[1, "b", {"c": 2.50}]}"#, #"[1,"b",{"c": 2.50}]"#), ("a[*]", #"{"a":[]}"#, "[]"),
            ("a[*].b", #"{"a":[{"b":1},{"c":2},3,null,{"b":"\u0041"}]}"#, #"[1,"\u0041"]"#),
            ("a.*.b", #"{"a":[{"b":1},{"b":2}]}"#, "[1,2]"),
            ("a[*].b[*]", #"{"a":[{"b":[1,2]},{"b":[3]}]}"#, "[1,2,3]"),
            ("a[*].b[0]", #"{"a":[{"b":[1,2]},{"b":[]}]}"#, "[1]"), ("a[*]", #"{"a":null}"#, nil), ("a[*]", "{}", nil),
            ("a[*]", #"{"a":[null]}"#, "[null]"),
        ] as [(String, String, String?)])
    func lists(path: String, json: String, value: String?) throws {
        let report = try self.decode(json, ["x": ["type": "json", "path": .text(path)]])
        #expect(report.ending == .next)
        #expect(report.text("x") == value)
        #expect(report.values["x"]?.typed == (value == nil ? nil : .json))
    }

    @Test(
        "A path that crosses a value of another kind is a malformed event, as is a value that is no text",
        arguments: [
            ("a[0]", #"{"a":{"b":1}}"#, "x: its path crosses a value that is not a list"),
            ("a[0].b", #"{"a":[7]}"#, "x: its path crosses a value that is not an object"),
            ("a.b[0]", #"{"a":7}"#, "x: its path crosses a value that is not an object"),
            ("a[0]", #"{"a":[[]]}"#, "x: expected a string, a number, true or false, found a list"),
            ("a[0]", #"{"a":[{}]}"#, "x: expected a string, a number, true or false, found an object"),
        ])
    func crossings(path: String, json: String, message: String) throws {
        #expect(try self.decode(json, ["x": ["path": .text(path)]]).failureMessage == "decode event: \(message)")
    }

    @Test("A JSON field takes any value byte for byte, and other fields may be parts of it")
    func jsonFields() throws {
        let fields: SettingNode = [
            "sku": ["path": "items[0].sku"], "items": ["type": "json"], "note": ["path": "meta.note"],
            "meta": ["type": "json", "required": "true"], "first": ["path": "items[0].n", "type": "int64"],
            "none": ["type": "json"],
        ]
        let json = #"{"items": [ {"sku":"a\tb", "n":007e0} ], "meta":{"note": "x"}, "none": null}"#
        #expect(try self.decode(json, fields).failure != nil)
        let report = try self.decode(json.replacing("007e0", with: "7"), fields, unknown: "reject")
        #expect(report.ending == .next)
        #expect(report.text("items") == #"[ {"sku":"a\tb", "n":7} ]"#)
        #expect(report.text("meta") == #"{"note": "x"}"#)
        #expect(report.text("sku") == "a\tb")
        #expect(report.text("note") == "x")
        #expect(report.values["first"]?.integer == 7)
        #expect(report.text("none") == "null")
        #expect(["items", "meta", "none"].allSatisfy { report.values[$0]?.typed == .json })
        #expect(try self.decode("{}", fields).failureMessage == "decode event: missing meta")
    }

    @Test("The text of a JSON string keeps its quotes and escapes, and that of other values its form")
    func jsonTexts() throws {
        for text in [#""a\u0041""#, "1.50", "true", "null", "[]", "{ }"] {
            #expect(try self.decode("{\"x\": \(text)}", ["x": ["type": "json"]]).text("x") == text)
        }
    }

    @Test("Undeclared members are refused in the objects on a path, but not within lists and JSON fields")
    func unknown() throws {
        let fields: SettingNode = ["x": ["path": "a.b[0].c"]]
        let list = #"{"a":{"b":[{"c":1,"more":2}]}}"#
        #expect(try self.decode(list, fields, unknown: "reject").text("x") == "1")
        let member = #"{"a":{"b":[],"more":2}}"#
        #expect(
            try self.decode(member, fields, unknown: "reject").failureMessage
                == "decode event: unsupported field \"a.more\"")
    }

    @Test(
        "Invalid paths are refused with their position",
        arguments: [
            ("a[", nil), ("a[]", nil), ("a[x]", nil), ("a[-1]", nil), ("a[0]b", nil), ("a]", nil),
            ("[0]", "expected names joined by dots such as customer.id, found \"[0]\""),
            ("a[0].", "expected names joined by dots such as customer.id, found \"a[0].\""),
            ("a[1000000]", "the number of an element has at most 6 digits, found \"a[1000000]\""),
        ] as [(String, String?)])
    func mistakes(path: String, message: String?) {
        let brackets =
            #"expected the number of an element or * in brackets, such as items[0].sku, found "\#(path)" "#
            + #"(\[ is a bracket within a name)"#
        let settings: SettingNode = ["json": "p", "fields": ["x": ["path": .text(path).at(4, 9)]]]
        #expect(
            StageHarness<DecodeStage>.mistakes(settings) == ["4:9: decode: fields: x: path: \(message ?? brackets)"])
    }

    @Test(
        "Paths that exclude each other, or a list that is no JSON, are refused",
        arguments: [
            (
                ["a": ["path": "b[0]"], "b": [:]],
                ["1:1: decode: fields: a: \"b\" is itself a field, so no path can lead through it"]
            ),
            (
                ["a": ["path": "b.c"], "d": ["path": .text("b[0]").at(4, 9)]],
                ["4:9: decode: fields: d: another field has the path \"b\" or a path within it"]
            ),
            (
                ["a": ["path": .text("b[*]").at(4, 9)]],
                ["4:9: decode: fields: a: path: * results in a list, which requires type: json"]
            ),
            (["a": ["path": "b[0]"], "c": ["path": "b[1].d"], "b": ["type": "json"], "e": ["path": "b.f"]], []),
        ] as [(SettingNode, [String])])
    func conflicts(fields: SettingNode, messages: [String]) {
        #expect(StageHarness<DecodeStage>.mistakes(["json": "p", "fields": fields]) == messages)
    }
}
