import CEL
import Testing

@Suite("Syntax")
struct SyntaxTests {
    @Test(
        "Literals have the values that the language defines",
        arguments: [
            Example("0x1F", "31"), Example("0xFFu", "255u"), Example("-9223372036854775808", "-9223372036854775808"),
            Example("18446744073709551615u", "18446744073709551615u"), Example("1e3", "1000.0"),
            Example(".5", "0.5"), Example("2.5E-1", "0.25"), Example("'a\\x41\\u00e4\\U0001F431\\101'", "'aAä🐱A'"),
            Example("\"it's\"", "'it's'"), Example("'''a\n'b'''", "'a\n'b'"), Example("r'\\n'", "'\\n'"),
            Example("R\"\"\"a\"b\"\"\"", "'a\"b'"), Example("b'\\xff\\377a'", "bytes[255, 255, 97]"),
            Example("b'ä'", "bytes[195, 164]"), Example("rb'\\x'", "bytes[92, 120]"), Example("null", "null"),
            Example("[1, 2,]", "[1, 2]"), Example("{'a': 1,}", "{'a': 1}"), Example("1 // comment\n + 2", "3"),
            Example("{'a.b': 1}.`a.b`", "1"), Example("{'for': 2}.for", "2"),
        ])
    func literals(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Operators bind as the language defines",
        arguments: [
            Example("1 + 2 * 3", "7"), Example("(1 + 2) * 3", "9"), Example("7 - 2 - 1", "4"),
            Example("8 / 2 / 2", "2"), Example("-2 + 3", "1"), Example("--2", "2"), Example("!!true", "true"),
            Example("true || false && false", "true"), Example("1 < 2 == true", "true"),
            Example("true ? (false ? 1 : 2) : 3", "2"), Example("false ? 1 : true ? 2 : 3", "2"),
            Example("1 in [1] && 2 in [2]", "true"), Example("[1, 2][1] + 1", "3"), Example("-[1][0]", "-1"),
        ])
    func precedence(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "A syntax error is reported with its position",
        arguments: [
            Example("1 +", "1:4: expected an expression, found the end of the expression"),
            Example("(1", "1:3: expected \")\", found the end of the expression"),
            Example("a b", "1:3: expected an operator, found \"b\""),
            Example("[1, 2", "1:6: expected \",\" or \"]\", found the end of the expression"),
            Example("'abc", "1:1: unterminated string"), Example("'a\nb'", "1:1: unterminated string"),
            Example("'a\\q'", "1:3: invalid escape sequence"),
            Example("'\\uD800'", "1:2: escape sequence of no Unicode character"),
            Example("b'\\u0041'", "1:3: invalid escape sequence"),
            Example("1 = 2", "1:3: unexpected character \"=\" (did you mean \"==\"?)"),
            Example("a & b", "1:3: unexpected character \"&\" (did you mean \"&&\"?)"),
            Example("a | b", "1:3: unexpected character \"|\" (did you mean \"||\"?)"),
            Example("a and b", "1:3: expected an operator, found \"and\" (did you mean \"&&\"?)"),
            Example("(a or b)", "1:4: expected \")\", found \"or\" (did you mean \"||\"?)"),
            Example("not a", "1:5: expected an operator, found \"a\" (did you mean \"!\"?)"),
            Example("1\n  + ?", "2:5: expected an expression, found \"?\""),
            Example("'ä' + #", "1:7: unexpected character \"#\""), Example("for", "1:1: \"for\" is a reserved word"),
            Example("9223372036854775808", "1:1: number out of range"), Example("1e999", "1:1: number out of range"),
            Example("12ab", "1:1: malformed number"), Example("0x", "1:1: expected hexadecimal digits"),
            Example("0XFF", "1:1: malformed number"),
            Example("has(1)", "1:5: expected a field in has(), such as has(a.b)"),
            Example("[1].map(1, 2)", "1:9: expected a variable name"),
            Example("[1].all(i, i, true)", "1:12: the variables of all must have different names"),
            Example("Type{}", "1:5: message literals are not supported"),
            Example("", "1:1: expected an expression, found the end of the expression"),
        ])
    func syntaxMistakes(_ example: Example) { #expect(problems(example.text) == [example.expected]) }

    @Test("Nesting is bounded for every construct", arguments: ["(", "[", "{1:", "!", "-(", "f(", "a[", "a?b:"])
    func nesting(_ opening: String) {
        let text = String(repeating: opening, count: 100_000 / opening.utf8.count)
        #expect(problems(text).count == 1)
        let short = String(repeating: opening, count: 15_000)
        #expect(problems(short).count == 1)
    }

    @Test("A long chain of operators is refused, except for &&")
    func chains() {
        #expect(problems(Array(repeating: "1", count: 5000).joined(separator: "+"))[0].contains("levels deep"))
        #expect(outcome(Array(repeating: "true", count: 5000).joined(separator: "&&")) == "true")
        #expect(problems("'" + String(repeating: "x", count: ExpressionLimits.length) + "'").count == 1)
    }

    @Test("32 levels of each construct are accepted")
    func leastNesting() {
        for (open, close) in [("(", ")"), ("[", "]"), ("{1: ", "}"), ("!(", ")"), ("[0].map(x, ", ")")] {
            let core = open == "!(" ? "true" : "1"
            let text = String(repeating: open, count: 32) + core + String(repeating: close, count: 32)
            #expect(problems(text).isEmpty, "\(text)")
        }
    }
}
