import DecodeStage
import StageKit
import StageTestKit
import Testing

@Suite struct TypeTests {
    private func report(_ text: String, _ rule: SettingNode) throws -> EventReport {
        try StageHarness(DecodeStage.self, ["fields": ["x": rule]]).process([SampleEntry(["x": text])])[0]
    }

    private static let time = TypedValue.timestamp(seconds: 1_700_000_000, nanoseconds: 250_000_000)

    @Test(
        "A value is read as its type and keeps its text",
        arguments: [
            ("uint64", nil, "18446744073709551615", .unsigned(.max)), ("uint64", nil, " +007 ", .unsigned(7)),
            ("double", nil, "31.5", .double(31.5)), ("double", nil, "-1.50e-3", .double(-0.0015)),
            ("double", nil, "+.5", .double(0.5)), ("double", nil, "5.", .double(5)), ("double", nil, "007", .double(7)),
            ("double", nil, "\t1E2\n", .double(100)), ("double", nil, "1e-999", .double(0)),
            ("bool", nil, "true", .bool(true)), ("bool", nil, "0", .bool(false)),
            ("bool", nil, " False ", .bool(false)),
            ("timestamp", nil, "2023-11-14T22:13:20.25Z", time),
            ("timestamp", "rfc3339", "2023-11-15T00:13:20.25+02:00", time),
            ("timestamp", "s", "1700000000.25", time), ("timestamp", "ms", "1700000000250", time),
            ("timestamp", "us", "1700000000250000.0", time), ("timestamp", "ns", "1700000000250000000.9", time),
            ("timestamp", "ms", "-1500", .timestamp(seconds: -2, nanoseconds: 500_000_000)),
            ("timestamp", "s", "-0.25", .timestamp(seconds: -1, nanoseconds: 750_000_000)),
            ("duration", nil, "1h30m", .duration(seconds: 5400, nanoseconds: 0)),
            ("duration", nil, "-250ms", .duration(seconds: -1, nanoseconds: 750_000_000)),
            ("duration", "ms", "1500", .duration(seconds: 1, nanoseconds: 500_000_000)),
            ("bytes", nil, "\u{1}", .bytes), ("json", nil, " [1, {\"a\": null}] ", .json),
            ("json", nil, "\"a\"", .json),
        ] as [(String, String?, String, TypedValue)])
    func values(type: String, format: String?, text: String, value: TypedValue) throws {
        let settings = [("type", SettingNode.text(type))] + (format.map { [("format", .text($0))] } ?? [])
        let report = try self.report(text, .mapping(settings))
        #expect(report.ending == .next)
        #expect(report.values["x"]?.typed == value)
        #expect(report.values["x"]?.integer == nil)
        #expect(report.text("x") == text)
    }

    @Test(
        "A value of another form is a malformed event",
        arguments: [
            ("uint64", nil, "-1", "\"-1\" is not an unsigned whole number"),
            ("uint64", nil, "", "\"\" is not an unsigned whole number"),
            (
                "uint64", nil, "18446744073709551616",
                "\"18446744073709551616\" is out of range for an unsigned 64-bit number"
            ),
            ("double", nil, "high", "\"high\" is not a number"), ("double", nil, ".", "\".\" is not a number"),
            ("double", nil, "1e", "\"1e\" is not a number"), ("double", nil, "nan", "\"nan\" is not a number"),
            ("double", nil, "0x1p3", "\"0x1p3\" is not a number"), ("double", nil, "1,5", "\"1,5\" is not a number"),
            ("double", nil, "1e999", "\"1e999\" is out of range for a double"),
            ("bool", nil, "yes", "\"yes\" is not true or false"),
            ("timestamp", nil, "1700000000", "\"1700000000\" is not an RFC 3339 time such as 2026-11-30T12:00:00Z"),
            (
                "timestamp", nil, "2023-02-29T00:00:00Z",
                "\"2023-02-29T00:00:00Z\" is not an RFC 3339 time such as 2026-11-30T12:00:00Z"
            ),
            ("timestamp", "s", "soon", "\"soon\" is not a number of seconds"),
            ("timestamp", "ms", "1.", "\"1.\" is not a number of milliseconds"),
            ("timestamp", "us", "1.x", "\"1.x\" is not a number of microseconds"),
            (
                "timestamp", "s", "253402300800",
                "\"253402300800\" is out of range for a time: the years are 1 to 9999"
            ),
            (
                "timestamp", "ns", "9999999999999999999",
                "\"9999999999999999999\" is out of range for a 64-bit number"
            ),
            ("duration", nil, "90", "\"90\" is not a duration such as 1h30m or 250ms"),
            (
                "duration", "s", "9223372037",
                "\"9223372037\" is out of range for a duration: the maximum is 292 years"
            ),
            ("json", nil, "{", "invalid JSON at byte 1: expected a name in quotes, found the end of the text"),
            ("json", nil, "1 2", "invalid JSON at byte 2: unexpected data after the value"),
        ] as [(String, String?, String, String)])
    func refusals(type: String, format: String?, text: String, message: String) throws {
        let settings = [("type", SettingNode.text(type))] + (format.map { [("format", .text($0))] } ?? [])
        let report = try self.report(text, .mapping(settings))
        #expect(report.failureMessage == "decode event: x: \(message)")
        #expect(report.failure?.reason == "malformed_event")
        #expect(report.text("x") == text)
    }

    @Test("The value of a secret field is not shown")
    func secret() throws {
        let report = try self.report("abc", ["type": "double", "secret": "true"])
        #expect(report.failureMessage == "decode event: x: [secret] is not a number")
    }

    @Test("A number of more than 1024 bytes is not read")
    func length() throws {
        let text = String(repeating: "0", count: 1024)
        #expect(try self.report(text, ["type": "double"]).ending == .next)
        #expect(try self.report(text + "0", ["type": "double"]).failure != nil)
    }

    @Test("Fields of other types are checked after the text fields, in declared order, with and without JSON")
    func order() throws {
        let fields: SettingNode = [
            "a": ["type": "double"], "b": ["required": "true"], "c": ["type": "int64"], "d": ["type": "bool"],
        ]
        for (json, entries) in [
            (nil, [["a": "x", "c": "y"], ["a": "x", "b": "1", "c": "y"], ["a": "1", "b": "1", "c": "y", "d": "z"]]),
            (
                "p",
                [
                    ["p": #"{"a":"x","c":"y"}"#], ["p": #"{"a":"x","b":1,"c":"y"}"#],
                    ["p": #"{"a":1,"b":1,"c":"y","d":"z"}"#],
                ]
            ),
        ] as [(String?, [KeyValuePairs<String, String>])] {
            let settings: SettingNode = json.map { ["json": .text($0), "fields": fields] } ?? ["fields": fields]
            let harness = try StageHarness(DecodeStage.self, settings)
            let reports = harness.process(entries.map { SampleEntry($0) })
            #expect(
                reports.map(\.failureMessage) == [
                    "decode event: missing b", "decode event: a: \"x\" is not a number",
                    "decode event: c: \"y\" is not a whole number",
                ])
        }
    }

    @Test("Decode of all types keeps the contract of stages")
    func conformance() async {
        let violations = await StageConformance.check(
            DecodeStage.self,
            ["fields": ["a": ["type": "double"], "b": ["type": "timestamp", "format": "ms"], "c": ["type": "json"]]],
            entries: [
                SampleEntry(["a": "1.5", "b": "7", "c": "[]"]), SampleEntry(["a": "x"]), SampleEntry(["c": "["]),
                SampleEntry([:]),
            ])
        #expect(violations == [])
    }

    @Test(
        "Invalid settings are refused with their position",
        arguments: [
            (
                ["type": "int64", "format": .text("ms").at(3, 9)],
                "3:9: decode: fields: x: format requires type: timestamp or duration"
            ),
            (
                ["type": "duration", "format": .text("rfc3339").at(3, 9)],
                "3:9: decode: fields: x: format: a duration is not an RFC 3339 time: use s, ms, us or ns, or no format "
                    + "for text such as 1h30m"
            ),
        ] as [(SettingNode, String)])
    func mistakes(rule: SettingNode, message: String) {
        #expect(StageHarness<DecodeStage>.mistakes(["fields": ["x": rule]]) == [message])
    }
}
