import CEL
import Testing

@Suite("Regular expressions")
struct PatternTests {
    @Test(
        "A string matches if any part of it does",
        arguments: [
            ("hubba", "ubb", true), ("abc", "^b", false), ("abc", "^a.c$", true), ("a\nc", "a.c", false),
            ("a\nc", "(?s)a.c", true), ("x\nabc", "^abc", false), ("x\nabc", "(?m)^abc$", true),
            ("ABC", "(?i)abc", true),
            ("ÄB", "(?i)äb", true), ("aBc", "a(?i:b)c", true), ("aBC", "a(?i:b)c", false), ("aaa", "^a{2,3}$", true),
            ("aaaa", "^a{2,3}$", false), ("a{", "a{", true), ("aa", "^a{2}$", true), ("foo123", "[0-9]+$", true),
            ("foo", "[^a-z]", false), ("a-b", "[a\\-]-", true), ("]", "[]]", true), ("x", "[[:alpha:]]", true),
            ("5", "[[:^digit:]]", false), ("ä", "\\w", false), ("ä", "\\pL", true), ("ä", "\\p{Lu}", false),
            ("Ä", "[\\p{Lu}]", true),
            ("ä", "\\PL", false), ("a b", "a\\sb", true), ("ab", "a\\Bb", true), ("a b", "\\bb\\b", true),
            ("a.b", "a\\.b", true),
            ("axb", "a\\.b", false), ("a+b", "\\Qa+b\\E", true), ("\u{41}", "\\x41", true), ("🐱", "^\\x{1F431}$", true),
            ("🐱", "^.$", true), ("", "", true), ("", "a*", true), ("b", "^(a|b|)$", true), ("abab", "^(ab)*$", true),
            ("abc", "(?P<name>b)", true), ("abc", "(?<name>b)", true), ("aaa", "^(a*)*$", true),
            ("ab", "^(?:a|ab)$", true),
            ("foobar", "foo|bar", true), ("a", "\\Aa\\z", true), ("xyz", "x??y", true),
        ])
    func matching(_ text: String, _ pattern: String, _ matches: Bool) {
        let variables: [(String, ExpressionType, Value?)] = [
            ("t", .string, .string(text)), ("p", .string, .string(pattern)),
        ]
        #expect(outcome("t.matches(p)", variables: variables) == String(matches))
        #expect(outcome("matches(t, p)", variables: variables) == String(matches))
    }

    @Test(
        "Malformed expressions and those that RE2 does not support are refused",
        arguments: [
            "(", ")", "a)", "[", "[a", "[b-a]", "*", "a**", "a{2}{3}", "\\", "\\8", "\\1", "(?=a)", "(?<!a)",
            "\\p{Greek}",
            "\\p{", "[[:foo:]]", "(?P<n", "a{1001}", "a{2,1}", "(a{1000}){1000}", "\\xZZ", "\\x{110000}", "(?i",
        ])
    func refused(_ pattern: String) {
        let variables: [(String, ExpressionType, Value?)] = [("p", .string, .string(pattern))]
        #expect(outcome("'a'.matches(p)", variables: variables).hasPrefix("error: invalid regular expression"))
    }

    @Test(
        "No pattern exceeds its cost",
        arguments: ["(a*)*b", "(a|aa)+$", "(a|a?)+b", "(x+x+)+y", "(.*)(.*)(.*)(.*)b"])
    func linear(_ pattern: String) throws {
        let program = try Program(
            "t.matches(p)", ExpressionEnvironment([.init("t", .string), .init("p", .string)]))
        let text = String(repeating: "a", count: 5000)
        let (value, cost) = try program.evaluateWithCost(
            VariableValues([.string(text), .string(pattern)]), limit: 10_000_000)
        #expect(["true", "false"].contains(shown(value)))
        #expect(cost < 5000 * 60)
    }

    @Test("Deep nesting and huge repetitions of the empty string are bounded")
    func bounds() {
        for pattern in [
            String(repeating: "(", count: 10_000),
            String(repeating: "(?:", count: 5000) + String(repeating: "){1000}", count: 5000),
            "(?:(?:(?:(?:){1000}){1000}){1000}){1000}", "((((a{0}){1000}){1000}){1000}){1000}",
        ] {
            let variables: [(String, ExpressionType, Value?)] = [("p", .string, .string(pattern))]
            #expect(!outcome("'a'.matches(p)", variables: variables).isEmpty)
        }
    }
}
