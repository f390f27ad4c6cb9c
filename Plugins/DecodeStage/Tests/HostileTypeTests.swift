import DecodeStage
import StageKit
import StageTestKit
import Testing

/// Odd and hostile values of each type: each is a value that is written down here, or a malformed event.
@Suite struct HostileTypeTests {
    /// A type, its format, a text, and the value; `nil` for a malformed event.
    typealias Case = (String, String?, String, TypedValue?)

    private static func time(_ seconds: Int64, _ nanoseconds: Int32 = 0) -> TypedValue {
        .timestamp(seconds: seconds, nanoseconds: nanoseconds)
    }

    private static func length(_ seconds: Int64, _ nanoseconds: Int32 = 0) -> TypedValue {
        .duration(seconds: seconds, nanoseconds: nanoseconds)
    }

    private func check(_ one: Case) throws {
        let (type, format, text, value) = one
        let settings = [("type", SettingNode.text(type))] + (format.map { [("format", .text($0))] } ?? [])
        let harness = try StageHarness(DecodeStage.self, ["fields": ["x": .mapping(settings)]])
        let report = harness.process([SampleEntry(["x": text])])[0]
        guard let value else {
            #expect(report.failure?.reason == "malformed_event", "\(one)")
            #expect(report.failureMessage?.hasPrefix("decode event: x: ") == true, "\(one)")
            return
        }
        #expect(report.ending == .next && report.values["x"]?.typed == value, "\(one): \(report)")
        #expect(report.text("x") == text)
    }

    @Test(
        "Doubles",
        arguments: [
            ("1e308", 1e308), ("-1.7976931348623157e308", -Double.greatestFiniteMagnitude), ("1e309", nil),
            ("1e400", nil), ("-1e400", nil), ("1e-400", 0), ("5e-324", Double.leastNonzeroMagnitude), ("-0", -0.0),
            ("-0.0", -0.0), ("0e999999999999", 0), ("1e99999999999999999999", nil), ("NaN", nil), ("nan", nil),
            ("inf", nil), ("-Infinity", nil), ("0x1A", nil), ("1_000", nil), ("1,000", nil), ("1.2.3", nil),
            ("+-1", nil), ("1e+", nil), ("e5", nil), ("", nil), (" ", nil), ("\u{661}", nil), ("1\u{0}", nil),
            ("\u{A0}1\u{A0}", 1), ("1 2", nil), ("9007199254740993", 9_007_199_254_740_992),
        ] as [(String, Double?)])
    func doubles(text: String, value: Double?) throws {
        try self.check(("double", nil, text, value.map { .double($0) }))
    }

    @Test(
        "Times as text",
        arguments: [
            ("2023-11-14T22:13:20Z", time(1_700_000_000)), ("2023-11-14t22:13:20z", time(1_700_000_000)),
            ("2023-11-14T22:13:20.123456789Z", time(1_700_000_000, 123_456_789)),
            ("2023-11-14T22:13:20.1234567899Z", time(1_700_000_000, 123_456_789)),
            ("2023-11-14T22:13:20.\(String(repeating: "9", count: 500))Z", time(1_700_000_000, 999_999_999)),
            ("2023-11-15T12:13:20+14:00", time(1_700_000_000)), ("2023-11-14T00:14:20-21:59", time(1_700_000_000)),
            ("2023-11-14T22:13:20-00:00", time(1_700_000_000)), ("1969-12-31T23:59:59.5Z", time(-1, 500_000_000)),
            ("0001-01-01T00:00:00Z", time(-62_135_596_800)), ("9999-12-31T23:59:59Z", time(253_402_300_799)),
            // Beyond the range only after the offset is applied.
            ("0001-01-01T00:00:00+00:01", nil), ("9999-12-31T23:59:59-00:01", nil), ("0000-12-31T23:59:59Z", nil),
            ("2016-12-31T23:59:60Z", nil), ("2016-12-31T24:00:00Z", nil), ("2023-02-30T00:00:00Z", nil),
            ("2023-11-14 22:13:20Z", nil), ("2023-11-14T22:13:20", nil), ("2023-11-14", nil), ("20231114T221320Z", nil),
            ("2023-11-14T22:13:20+0200", nil), ("2023-11-14T22:13:20+24:00", nil), ("2023-11-14T22:13:20,5Z", nil),
            ("2023-11-14T22:13:20.Z", nil), ("2023-11-14T22:13:20ZZ", nil), ("+2023-11-14T22:13:20Z", nil),
            ("12023-11-14T22:13:20Z", nil), ("now", nil), ("", nil), ("2023-11-14T22:13:20\u{2212}01:00", nil),
        ] as [(String, TypedValue?)])
    func texts(text: String, value: TypedValue?) throws {
        try self.check(("timestamp", nil, text, value))
    }

    @Test(
        "Times and durations as numbers",
        arguments: [
            ("timestamp", "s", "253402300799", time(253_402_300_799)), ("timestamp", "s", "253402300800", nil),
            ("timestamp", "s", "-62135596800", time(-62_135_596_800)), ("timestamp", "s", "-62135596801", nil),
            ("timestamp", "s", "-62135596800.5", nil), ("timestamp", "s", "1700000000000", nil),
            ("timestamp", "ms", "1700000000", time(1_700_000)), ("timestamp", "s", "1e9", nil),
            ("timestamp", "s", "9223372036854775807", nil), ("timestamp", "s", "9223372036854775808", nil),
            ("timestamp", "ns", "-9223372036854775808", time(-9_223_372_037, 145_224_192)),
            ("timestamp", "s", "-0", time(0)), ("timestamp", "s", "-0.5", time(-1, 500_000_000)),
            ("timestamp", "s", "1.9999999999", time(1, 999_999_999)), ("timestamp", "s", ".5", nil),
            ("timestamp", "s", "1.", nil), ("timestamp", "s", "1.-5", nil), ("timestamp", "s", "1.5.5", nil),
            ("timestamp", "ms", "0x10", nil), ("timestamp", "ms", "", nil), ("timestamp", "ms", "NaN", nil),
            ("timestamp", "ms", "2023-11-14T22:13:20Z", nil),
            ("duration", "s", "9223372036", length(9_223_372_036)), ("duration", "s", "9223372037", nil),
            ("duration", "ns", "-9223372036854775808", length(-9_223_372_037, 145_224_192)),
            ("duration", "us", "-9223372036854776", nil), ("duration", "s", "-9223372036854775808", nil),
            ("duration", "ms", "-1", length(-1, 999_000_000)), ("duration", "ns", "0.5", length(0)),
            ("duration", "s", "1h", nil),
        ] as [Case])
    func numbers(type: String, format: String?, text: String, value: TypedValue?) throws {
        try self.check((type, format, text, value))
    }

    @Test(
        "Durations as text",
        arguments: [
            ("0", length(0)), ("0s", length(0)), ("-0s", length(0)), ("1h2m3s4ms5us6ns", length(3723, 4_005_006)),
            ("1s1s", length(2)), ("1.5h", length(5400)), (".5s", length(0, 500_000_000)), ("1.s", length(1)),
            ("2562047h", length(9_223_369_200)), ("2562048h", nil), ("99999999999999999999s", nil), ("1d", nil),
            ("1 s", nil), ("s", nil), ("-", nil), ("--1s", nil), ("1h-5m", nil), ("1", nil), ("", nil), ("1e3s", nil),
            ("PT1H", nil), ("1\u{B5}s", length(0, 1000)),
        ] as [(String, TypedValue?)])
    func durations(text: String, value: TypedValue?) throws {
        try self.check(("duration", nil, text, value))
    }

    @Test(
        "JSON is read up to its limit of nesting, and one level more is a malformed event",
        arguments: [63, 64, 65, 5000])
    func depth(levels: Int) throws {
        let text = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        try self.check(("json", nil, text, levels > 64 ? nil : .json))
        let harness = try StageHarness(
            DecodeStage.self, ["json": "p", "unknown_fields": "ignore", "fields": ["a": ["path": "b.c"]]])
        // The object around it is a level, too.
        let report = harness.process([SampleEntry(["p": "{\"b\":{\"c\":1},\"d\":\(text)}"])])[0]
        #expect((report.failure == nil) == (levels < 64))
        if levels < 64 { #expect(report.text("a") == "1") }
    }

    @Test(
        "Paths with * that meet nothing give an empty list, or no value if there is no list",
        arguments: [
            ("a[*]", #"{"a":[]}"#, "[]"), ("a[*]", #"{"a":null}"#, nil), ("a[*]", "{}", nil),
            ("a[*].b", #"{"a":[{},{"c":1}]}"#, "[]"), ("a[*].b", #"{"a":[{"b":null}]}"#, "[null]"),
            (#"a\.b[*]"#, #"{"a.b":[1],"a":{"b":[2]}}"#, "[1]"), (#"a\[\*\]"#, #"{"a[*]":[7]}"#, "[7]"),
        ] as [(String, String, String?)])
    func paths(path: String, json: String, value: String?) throws {
        let harness = try StageHarness(
            DecodeStage.self,
            ["json": "p", "unknown_fields": "ignore", "fields": ["x": ["path": .text(path), "type": "json"]]])
        let report = harness.process([SampleEntry(["p": json])])[0]
        #expect(report.failure == nil && report.text("x") == value, "\(report)")
    }
}
