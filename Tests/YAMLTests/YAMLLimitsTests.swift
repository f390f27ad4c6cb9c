import Testing
import YAML

@Suite struct YAMLLimitsTests {
    /// One of the limits.
    typealias Limit = any WritableKeyPath<YAMLLimits, Int> & Sendable

    /// Lists of nine aliases, each to the list before: 9 to the power of `levels` values.
    static func laughs(levels: Int = 10) -> String {
        (0..<levels).map { level in
            let item = level == 0 ? "lol" : "*l\(level - 1)"
            return "l\(level): &l\(level) [" + Array(repeating: item, count: 9).joined(separator: ", ") + "]\n"
        }.joined()
    }

    @Test("A billion laughs are refused at the alias that goes beyond the number of aliases")
    func laughsByAliases() {
        var limits = YAMLLimits.default
        limits.nodes = .max
        limits.textBytes = .max
        #expect(
            refusal(of: Self.laughs(), limits: limits)?.description
                == "9:15: more than 64 aliases: write the values themselves")
    }

    @Test("A billion laughs are refused at the alias that goes beyond the number of values")
    func laughsByNodes() {
        var limits = YAMLLimits.default
        limits.aliases = .max
        #expect(
            refusal(of: Self.laughs(), limits: limits)?.description
                == "6:10: more than 100000 values, including those behind aliases")
    }

    @Test("Lifting the limits on values does not overflow their count")
    func laughsWithoutLimits() throws {
        var limits = YAMLLimits.default
        limits.aliases = .max
        limits.nodes = .max
        limits.textBytes = .max
        #expect(try YAMLParser.parse(Self.laughs(levels: 30), limits: limits) != nil)
    }

    @Test("Aliases cannot repeat a long text without limit")
    func textBehindAliases() {
        var limits = YAMLLimits.default
        limits.textBytes = 100
        let text = "- &a " + String(repeating: "x", count: 40) + "\n- *a\n- *a\n"
        #expect(
            refusal(of: text, limits: limits)?.description
                == "3:3: more than 100 bytes of text, including that behind aliases")
    }

    @Test(
        "A document at the limit is read; anything more is refused at its beginning",
        arguments: [
            (\.documentBytes, 4, "a: 1", "a: 12", "1:1: the document has 5 bytes, the limit is 4"),
            (\.depth, 2, "[[1]]", "[[[1]]]", "1:3: nested deeper than 2 levels"),
            (\.depth, 2, "a:\n- 1", "a:\n- b: 1", "2:3: nested deeper than 2 levels"),
            (\.depth, 0, "a", "[]", "1:1: nested deeper than 0 levels"),
            (\.depth, 2, "[&a [], *a]", "[&a [], [*a]]", "1:10: nested deeper than 2 levels"),
            (\.nodes, 3, "a: 1", "a: [1]", "1:5: more than 3 values, including those behind aliases"),
            (\.nodes, 5, "[&a [1], *a]", "[&a [1], *a, 1]", "1:14: more than 5 values, including those behind aliases"),
            (\.aliases, 1, "[&a 1, *a]", "[&a 1, *a, *a]", "1:12: more than 1 aliases: write the values themselves"),
            (\.scalarBytes, 2, "a: é", "a: éé", "1:4: this value has 4 bytes, the limit is 2"),
            (\.textBytes, 3, "ab: c", "ab: cd", "1:5: more than 3 bytes of text, including that behind aliases"),
        ] as [(Limit, Int, String, String, String)])
    func edges(
        limit: Limit, value: Int, fits: String, exceeds: String, message: String
    ) throws {
        var limits = YAMLLimits.default
        limits[keyPath: limit] = value
        #expect(try YAMLParser.parse(fits, limits: limits) != nil)
        #expect(refusal(of: exceeds, limits: limits)?.description == message)
    }

    @Test(
        "A file that would take libyaml quadratic time is refused at its first lines",
        arguments: [
            // Beginning and end of the lines: whole files as arguments would stand in the log of the tests.
            ("[", 1 << 20, "", "1:65: nested deeper than 64 levels"),
            ("- ", 1 << 19, "", "1:129: nested deeper than 64 levels"),
            (
                "%TAG !", 60_000, "! x\n",
                "17:1: more than 16 lines begin with \"%\": remove the directives, or indent the text"
            ),
        ])
    func quadratic(start: String, count: Int, end: String, message: String) {
        let text =
            end.isEmpty
            ? String(repeating: start, count: count) : (0..<count).map { "\(start)\($0)\(end)" }.joined()
        #expect(refusal(of: text)?.description == message)
    }

    @Test("libyaml's own nesting bound is not reached with the default limit")
    func deepButAllowed() throws {
        let text = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(try YAMLParser.parse(text) != nil)
    }
}
