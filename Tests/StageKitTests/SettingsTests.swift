import StageKit
import Testing

@Suite struct SettingsTests {
    struct Inner: Sendable, Equatable {
        var size = 5
    }

    struct Settings: Sendable, Equatable {
        var name = ""
        var wait = Duration.seconds(1)
        var isOn = false
        var words: [String] = []
        var inner = Inner()
        var note: String?
    }

    private static let type = SettingType<Settings>.object(
        SettingsSchema(
            Settings(),
            [
                .required("name", \.name, .nonBlankText, "A name."),
                .optional("wait", \.wait, .duration(minimum: .milliseconds(1)), default: "1s", "A time."),
                .optional("is_on", \.isOn, .boolean, "A switch."),
                .optional("words", \.words, .list(of: .choice(["red", "green"]), orSingle: true), "Words."),
                .optional(
                    "inner", \.inner,
                    .object(SettingsSchema(Inner(), [.optional("size", \.size, .integer(1...9), "A size.")])), "More."),
                .optional("note", \.note, .optional(.text), "A note."),
            ]))

    private static func scalar(_ text: String, _ line: Int) -> SettingNode {
        SettingNode(.scalar(text, isPlain: true), at: SettingPosition(line: line, column: 9))
    }

    /// A mapping whose entries stand one on each line.
    private static func mapping(_ entries: [(String, SettingNode)]) -> SettingNode {
        SettingNode(
            .mapping(
                entries.enumerated().map { index, entry in
                    .init(key: entry.0, position: SettingPosition(line: index + 1, column: 1), value: entry.1)
                }), at: SettingPosition(line: 1, column: 1))
    }

    private static func read(_ node: SettingNode) -> (Settings?, [String]) {
        var issues = SettingIssues(context: "x")
        let value = self.type.decode(node, &issues)
        return (value, issues.all.map { "\($0.position.line):\($0.position.column) \($0.message)" })
    }

    @Test("Omitted settings keep their defaults, and the others are read")
    func reads() {
        let node = Self.mapping([
            ("name", Self.scalar("n", 1)), ("wait", Self.scalar("250ms", 2)), ("words", Self.scalar("red", 3)),
            ("inner", Self.mapping([("size", Self.scalar("7", 1))])),
        ])
        let (value, issues) = Self.read(node)
        var expected = Settings()
        expected.name = "n"
        expected.wait = .milliseconds(250)
        expected.words = ["red"]
        expected.inner.size = 7
        #expect(value == expected)
        #expect(issues == [])
    }

    @Test("All errors are reported, each with its position and path")
    func mistakes() {
        let node = Self.mapping([
            ("nmae", Self.scalar("n", 1)), ("wait", Self.scalar("0s", 2)), ("is_on", Self.scalar("yes", 3)),
            ("words", Self.scalar("gren", 4)), ("inner", Self.mapping([("size", Self.scalar("10", 5))])),
        ])
        let (value, issues) = Self.read(node)
        #expect(value == nil)
        #expect(
            issues == [
                "1:1 x: unknown setting \"nmae\" (did you mean name?)",
                "2:9 x: wait: 0s is too short: the minimum is 1ms",
                "3:9 x: is_on: expected true or false, found \"yes\"",
                "4:9 x: words: unknown value \"gren\" (did you mean green?)",
                "5:9 x: inner: size: 10 is out of range: it must be from 1 to 9",
                "1:1 x: missing setting \"name\"",
            ])
    }

    @Test(
        "Durations have a unit",
        arguments: [
            ("250ms", Duration.milliseconds(250)), ("5s", .seconds(5)), ("2m", .seconds(120)), ("1h", .seconds(3600)),
            ("1d", .seconds(86400)), ("7us", .microseconds(7)), ("-15m", .seconds(-900)), ("0s", .zero), ("5", nil),
            ("ms", nil), ("1.5s", nil), ("5 s", nil), ("5S", nil), ("99999999999999999999s", nil),
            ("9223372036854775807h", nil), ("", nil),
        ] as [(String, Duration?)])
    func durations(text: String, duration: Duration?) {
        #expect(SettingUnits.duration(text) == duration)
    }

    @Test(
        "Sizes have a unit",
        arguments: [
            ("1B", 1), ("64KiB", 65536), ("1MiB", 1 << 20), ("2GiB", 2 << 30), ("64", nil), ("64kb", nil),
            ("-1B", nil), ("9223372036854775807GiB", nil),
        ] as [(String, Int?)])
    func sizes(text: String, size: Int?) {
        #expect(SettingUnits.byteSize(text) == size)
    }

    @Test(
        "The nearest name is the one a person most likely meant, or none",
        arguments: [
            ("stagse", "stages"), ("Stages", "stages"), ("stge", nil), ("sores", "stores"), ("xyz", nil), ("", nil),
            ("sourec", "source"),
        ] as [(String, String?)])
    func nearest(name: String, expected: String?) {
        #expect(Nearest.name(to: name, among: ["stages", "stores", "source"]) == expected)
    }

    @Test("Names beyond the limits of a graph share a number and never collide with others")
    func graphNames() {
        let names = GraphNames()
        let reasons = (0..<200).map { names.reason("reason \($0)") }
        #expect(Set(reasons).count == GraphNames.reasonLimit)
        #expect(names.reasons[Int(reasons[199].index)] == "other")
        #expect(names.reason("reason 3") == reasons[3])
        let effects = (0..<300).map { names.effect("effect \($0)") }
        #expect(Set(effects).count == GraphNames.effectLimit)
    }
}
