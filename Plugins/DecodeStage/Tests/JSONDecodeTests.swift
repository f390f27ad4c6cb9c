import DecodeStage
import Foundation
import StageKit
import StageTestKit
import Testing

@Suite struct JSONDecodeTests {
    private let settings: SettingNode = [
        "event": "order event", "json": "payload",
        "fields": [
            "order_id": ["required": "true", "blank": "reject"], "status": [:],
            "customer": ["path": "customer.id"], "city": ["path": "customer.address.city", "required": "true"],
            "amount": ["type": "int64"],
        ],
    ]

    private func decode(_ payload: String, _ settings: SettingNode? = nil) throws -> EventReport {
        try StageHarness(DecodeStage.self, settings ?? self.settings).process([SampleEntry(["payload": payload])])[0]
    }

    private let flat: SettingNode = [
        "json": "payload", "fields": ["id": [:], "note": [:], "size": ["type": "int64"]],
    ]

    @Test("Decode of JSON keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            DecodeStage.self, self.settings,
            entries: [
                SampleEntry(["payload": "{\"order_id\":\"1\",\"customer\":{\"address\":{\"city\":\"x\\n\"}}}"]),
                SampleEntry(["payload": "{\"order_id\":"]), SampleEntry(["payload": "{\"order_id\":[]}"]),
                SampleEntry(["other": "1"]),
            ])
        #expect(violations == [])
    }

    @Test("Members become values: strings with escapes decoded, numbers and booleans as written")
    func values() throws {
        let report = try self.decode(
            """
            {"order_id": "o-1", "status": "tab\\there \\uD83D\\uDE00", "amount": -12}
            """, self.loose)
        #expect(report.ending == .next)
        #expect(report.text("order_id") == "o-1")
        #expect(report.text("status") == "tab\there 😀")
        #expect(report.values["amount"]?.integer == -12)
        #expect(report.text("amount") == "-12")
    }

    private let loose: SettingNode = [
        "json": "payload", "fields": ["order_id": [:], "status": [:], "amount": ["type": "int64"]],
    ]

    @Test(
        "A text field keeps the text of numbers and booleans; null counts as a missing member",
        arguments: [
            ("1.50", "1.50"), ("-0", "-0"), ("1E400", "1E400"), ("true", "true"), ("false", "false"),
            ("\"\"", ""), ("\"null\"", "null"), ("null", nil),
        ] as [(String, String?)])
    func scalars(json: String, value: String?) throws {
        let report = try self.decode("{\"note\": \(json)}", self.flat)
        #expect(report.ending == .next)
        #expect(report.text("note") == value)
    }

    @Test(
        "An integer may be a number or a string; anything else is refused as in a plain field",
        arguments: [
            ("7", nil), ("\"7\"", nil), ("\" 7 \"", nil), ("\"\\u0037\"", nil), ("null", nil),
            ("7.0", "\"7.0\" is not a whole number"), ("7e0", "\"7e0\" is not a whole number"),
            ("true", "\"true\" is not a whole number"), ("\"\"", "\"\" is not a whole number"),
            ("9223372036854775808", "\"9223372036854775808\" is out of range for a 64-bit number"),
        ] as [(String, String?)])
    func integers(json: String, problem: String?) throws {
        let report = try self.decode("{\"size\": \(json)}", self.flat)
        #expect(report.failureMessage == problem.map { "decode event: size: \($0)" })
        if problem == nil { #expect(report.values["size"]?.integer == (json == "null" ? nil : 7)) }
    }

    @Test("Nested values are found by their path, regardless of their surroundings")
    func paths() throws {
        let report = try self.decode(
            "{\"customer\":{\"address\":{\"city\":\"Ulm\"},\"id\":17},\"order_id\":\"o\",\"amount\":5}")
        #expect(report.ending == .next)
        #expect(report.text("customer") == "17")
        #expect(report.text("city") == "Ulm")
    }

    @Test(
        "A backslash makes a dot or a backslash part of a name",
        arguments: [
            (#"a\.b"#, #"{"a.b":1,"a":{"b":2}}"#), (#"a.b"#, #"{"a.b":2,"a":{"b":1}}"#),
            (#"x.a\.b.c"#, #"{"x":{"a.b":{"c":1},"a":{"b":{"c":2}}}}"#), (#"a\\b"#, #"{"a\\b":1,"ab":2}"#),
            (#"a\\.b"#, #"{"a\\":{"b":1},"a\\.b":2}"#), (#"\."#, #"{".":1}"#), (#"a\.b"#, #"{"a\u002eb":1}"#),
            (#"a\.b\.c"#, #"{"a.b.c":1}"#),
        ])
    func dotsInNames(path: String, json: String) throws {
        let settings: SettingNode = [
            "json": "payload", "unknown_fields": "ignore", "fields": ["value": ["path": .text(path)]],
        ]
        let report = try self.decode(json, settings)
        #expect(report.ending == .next)
        #expect(report.text("value") == "1")
    }

    @Test(
        "An undeclared member is named in the form of a path",
        arguments: [
            (#"{"a.b":1}"#, #"a\.b"#), (#"{"c":{"d.e":1}}"#, #"c.d\.e"#), (#"{"x.y":{"d":1}}"#, #"x\.y.d"#),
        ])
    func unknownNames(json: String, name: String) throws {
        let settings: SettingNode = [
            "json": "payload", "fields": ["value": ["path": "c.value"], "other": ["path": #"x\.y.value"#]],
        ]
        let message = try #require(try self.decode(json, settings).failureMessage)
        // Quoted text writes a backslash twice.
        #expect(message.replacingOccurrences(of: #"\\"#, with: #"\"#) == "decode event: unsupported field \"\(name)\"")
    }

    @Test(
        "The last value of a repeated name wins with its whole content",
        arguments: [
            ("{\"id\":\"a\",\"id\":\"b\"}", "b"), ("{\"id\":\"a\",\"id\":null}", nil),
            ("{\"id\":[],\"id\":\"b\"}", "b"), ("{\"id\":\"a\\n\",\"id\":\"b\"}", "b"),
            ("{\"id\":\"a\",\"\\u0069d\":\"b\\n\"}", "b\n"),
        ] as [(String, String?)])
    func lastWins(json: String, value: String?) throws {
        let report = try self.decode(json, self.flat)
        #expect(report.ending == .next)
        #expect(report.text("id") == value)
    }

    @Test("A repeated object replaces the previous one, and its missing members are missing")
    func lastObjectWins() throws {
        let report = try self.decode(
            "{\"order_id\":\"o\",\"customer\":{\"id\":1,\"address\":{\"city\":\"Ulm\"}},\"customer\":{\"id\":2}}")
        #expect(report.failureMessage == "decode order event: missing city")
        #expect(report.text("customer") == "2")
        #expect(report.values["city"] == nil)
    }

    @Test(
        "Checks run in the order of plain fields: the entry's fields, the JSON text, undeclared members, the values",
        arguments: [
            (["payload": "{", "more": "1"], "unsupported field \"more\""),
            (["more": "1"], "unsupported field \"more\""),
            ([:], "missing payload"),
            (["payload": ""], "payload: invalid JSON at byte 0: expected an object, found the end of the text"),
            (["payload": "{\"colour\":1,\"order_id\":}"], "payload: invalid JSON at byte 23: expected a value"),
            (["payload": "{\"colour\":1,\"more\":2}"], "unsupported field \"colour\""),
            (["payload": "{\"customer\":{\"name\":{}},\"x\":1}"], "unsupported field \"customer.name\""),
            (["payload": "{\"a\\n\\u001b\":1}"], "unsupported field \"a\\n\\x1b\""),
            (["payload": "{\"amount\":\"x\"}"], "missing order_id"),
            (["payload": "{\"order_id\":null}"], "missing order_id"),
            (["payload": "{\"order_id\":\" \"}"], "order_id must not be empty"),
            (["payload": "{\"order_id\":\"\\u00a0\\n\"}"], "order_id must not be empty"),
            (
                ["payload": "{\"order_id\":{\"a\":1}}"],
                "order_id: expected a string, a number, true or false, found an object"
            ),
            (
                ["payload": "{\"order_id\":1,\"status\":[]}"],
                "status: expected a string, a number, true or false, found a list"
            ),
            (
                ["payload": "{\"order_id\":1,\"customer\":7}"],
                "customer: its path crosses a value that is not an object"
            ),
            (
                ["payload": "{\"order_id\":1,\"customer\":{\"address\":[]}}"],
                "city: its path crosses a value that is not an object"
            ),
            (["payload": "{\"order_id\":1,\"customer\":null}"], "missing city"),
            (
                ["payload": "{\"order_id\":1,\"amount\":[],\"customer\":{\"address\":{\"city\":1}}}"],
                "amount: expected a string, a number, true or false, found a list"
            ),
        ] as [(KeyValuePairs<String, String>, String)])
    func order(fields: KeyValuePairs<String, String>, message: String) throws {
        let report = try StageHarness(DecodeStage.self, self.settings).process([SampleEntry(fields)])[0]
        #expect(report.failure?.message == "decode order event: \(message)")
        #expect(report.failure?.reason == "malformed_event")
    }

    @Test("Other members and other fields of the entry are ignored if the settings say so")
    func ignoresUnknown() throws {
        let settings: SettingNode = ["json": "payload", "fields": ["id": [:]], "unknown_fields": "ignore"]
        let entry = SampleEntry(["other": "1", "payload": "{\"x\":{\"id\":[1,{}]},\"id\":\"a\",\"y\":1}"])
        let report = try StageHarness(DecodeStage.self, settings).process([entry])[0]
        #expect(report.ending == .next)
        #expect(report.values.mapValues { String(decoding: $0.bytes, as: UTF8.self) } == ["id": "a"])
    }

    @Test("A failed event keeps the fields before the error, so that a failure branch finds its key")
    func failureKeepsValues() throws {
        let broken = try self.decode("{\"id\":\"k\\u002d1\",\"note\":\"n\",\"size\":}", self.flat)
        #expect(broken.failure != nil)
        #expect(broken.text("id") == "k-1")
        #expect(broken.text("note") == "n")
        let unknown = try self.decode("{\"id\":\"k\",\"more\":1,\"note\":[]}", self.flat)
        #expect(unknown.failureMessage == "decode event: unsupported field \"more\"")
        #expect(unknown.text("id") == "k")
        #expect(unknown.values["note"] == nil)
    }

    @Test("Events of a batch do not share values, and the last of repeated payloads is read")
    func batch() throws {
        let harness = try StageHarness(DecodeStage.self, self.flat)
        let reports = harness.process([
            SampleEntry(["payload": "{\"id\":\"a\\n\",\"size\":1}"]), SampleEntry(["payload": "{}"]),
            SampleEntry(["payload": "{\"id\":[]}"]), SampleEntry(["payload": "{\"note\":\"\\\\\"}"]),
            SampleEntry(["payload": "no", "payload": "{\"id\":\"last\"}"]),
        ])
        #expect(reports.map { $0.text("id") } == ["a\n", nil, nil, nil, "last"])
        #expect(reports[1].values.isEmpty)
        #expect(reports[2].failure != nil)
        #expect(reports[3].text("note") == "\\")
    }

    @Test("Text of more than 16 MiB is refused")
    func size() throws {
        let padding = String(repeating: " ", count: (16 << 20) - 2)
        #expect(try self.decode("{" + padding + "}", self.flat).ending == .next)
        #expect(
            try self.decode("{ " + padding + "}", self.flat).failureMessage
                == "decode event: payload: invalid JSON at byte 16777216: longer than 16777216 bytes")
    }

    private static let backslash =
        #"\ in a path must be followed by . \ [ ] or *, which it makes part of a name"#
    private static let dots = "expected names joined by dots such as customer.id"

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (
                ["fields": ["a": ["path": .text("b.c").at(2, 9)]]],
                ["2:9: decode: fields: a: path requires json: FIELD"]
            ),
            (["json": .text(" ").at(2, 9), "fields": ["a": [:]]], ["2:9: decode: json: must not be blank"]),
            (
                ["json": "p", "fields": ["a": ["path": .text("b..c").at(3, 9)]]],
                ["3:9: decode: fields: a: path: \(Self.dots), found \"b..c\""]
            ),
            (
                ["json": "p", "fields": ["a": [:], "b": ["path": .text("a.x").at(3, 9)]]],
                ["3:9: decode: fields: b: \"a\" is itself a field, so no path can lead through it"]
            ),
            (
                ["json": "p", "fields": ["b": ["path": "a.x"], "a": .mapping([]).at(4, 3)]],
                ["4:3: decode: fields: a: another field has the path \"a\" or a path within it"]
            ),
            (
                ["json": "p", "fields": ["b": ["path": "a.x"], "c": ["path": .text("a.x").at(4, 9)]]],
                ["4:9: decode: fields: c: another field has the path \"a.x\" or a path within it"]
            ),
            (
                ["json": "p", "fields": ["b": ["path": #"x\.y.z"#], "c": ["path": .text(#"x\.y.z"#).at(4, 9)]]],
                [#"4:9: decode: fields: c: another field has the path "x\.y.z" or a path within it"#]
            ),
            (
                ["json": "p", "fields": ["x.y": [:], "c": ["path": .text(#"x\.y.z"#).at(4, 9)]]],
                [#"4:9: decode: fields: c: "x\.y" is itself a field, so no path can lead through it"#]
            ),
            (
                ["json": "p", "fields": ["b": ["path": .text(#"a\b"#).at(4, 9)]]],
                ["4:9: decode: fields: b: path: \(Self.backslash), found \"a\\b\""]
            ),
            (
                ["json": "p", "fields": ["b": ["path": .text(#"a.b\"#).at(4, 9)]]],
                ["4:9: decode: fields: b: path: \(Self.backslash), found \"a.b\\\""]
            ),
            (
                ["json": "p", "fields": ["b": ["path": .text("a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a").at(4, 9)]]],
                ["4:9: decode: fields: b: path: a path has at most 16 names"]
            ),
        ] as [(SettingNode, [String])])
    func mistakes(settings: SettingNode, messages: [String]) {
        #expect(StageHarness<DecodeStage>.mistakes(settings) == messages)
    }
}
