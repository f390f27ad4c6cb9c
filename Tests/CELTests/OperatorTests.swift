import CEL
import Testing

@Suite("Operators")
struct OperatorTests {
    @Test(
        "Arithmetic has the value or the error that the language defines",
        arguments: [
            Example("9223372036854775807 + 1", "error: integer overflow"),
            Example("-9223372036854775808 - 1", "error: integer overflow"),
            Example("-(-9223372036854775808)", "error: integer overflow"),
            Example("-9223372036854775808 / -1", "error: integer overflow"),
            Example("-9223372036854775808 % -1", "error: integer overflow"),
            Example("0u - 1u", "error: integer overflow"),
            Example("18446744073709551615u + 1u", "error: integer overflow"),
            Example("1 / 0", "error: division by zero"), Example("1u % 0u", "error: modulus by zero"),
            Example("-7 / 2", "-3"), Example("-7 % 2", "-1"), Example("7.0 / 0.0", "inf"),
            Example("-1.0 / 0.0", "-inf"),
            Example("0.0 / 0.0", "nan"), Example("'a' + 'b'", "'ab'"), Example("b'a' + b'b'", "bytes[97, 98]"),
            Example("[1] + [2]", "[1, 2]"), Example("2.0 * 3.0", "6.0"),
            Example("dyn(1) + dyn(1.0)", "error: no such overload: operator \"+\" does not take (int, double)"),
        ])
    func arithmetic(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Numbers of different types are compared by their value",
        arguments: [
            "dyn(1) == 1.0", "dyn(1u) == 1", "dyn(1) != 1.5", "1 < 1.5", "1u > -1", "-1 < 0u", "dyn(2.5) > 2u",
            "9223372036854775807 < 9223372036854775808u", "9223372036854775807 < 1e19",
            "dyn(9223372036854775807u) == 9223372036854775807", "[1, 2u, 3.0] == [1.0, 2, 3u]",
            "{1: 'a'} == dyn({1u: 'a'})", "3.0 in [1, 2, 3].map(x, dyn(x))", "{1: 2}[dyn(1.0)] == 2",
            "!(dyn(1) == 'a')",
            "!(0.0 / 0.0 == 0.0 / 0.0)", "!(0.0 / 0.0 < 1.0)", "!(0.0 / 0.0 >= 1.0)", "-0.0 == 0.0",
            "18446744073709551615u < 18446744073709590000.0", "9223372036854775807 >= 9223372036854775808.0",
            "dyn(null) != 0", "dyn([]) != dyn({})",
        ])
    func numbers(_ text: String) { #expect(outcome(text) == "true") }

    @Test(
        "Strings are ordered by code points, bytes by value",
        arguments: [
            "'a' < 'b'", "'a' < 'aa'", "'Z' < 'a'", "'z' < 'ä'", "'\\uFFFF' < '\\U00010000'", "b'a' < b'b'",
            "'e\\u0301' != '\\u00e9'", "false < true", "duration('1s') < duration('1m')",
            "timestamp('2020-01-01T00:00:00Z') < timestamp('2020-01-01T00:00:00.5Z')",
        ])
    func order(_ text: String) { #expect(outcome(text) == "true") }

    @Test(
        "An operand that decides the result absorbs errors of the others",
        arguments: [
            Example("true || 1 / 0 == 1", "true"), Example("1 / 0 == 1 || true", "true"),
            Example("false && 1 / 0 == 1", "false"), Example("1 / 0 == 1 && false", "false"),
            Example("1 / 0 == 1 || false", "error: division by zero"),
            Example("true && 1 / 0 == 1", "error: division by zero"), Example("true ? 1 : 1 / 0", "1"),
            Example("1 / 0 == 1 ? 1 : 2", "error: division by zero"),
            Example("[1, 0].exists(x, 1 / x == 1)", "true"),
            Example("[0, 2].exists(x, 1 / x == 1)", "error: division by zero"),
            Example("[0, 1].all(x, 1 / x == 5)", "false"),
            Example("[0, 1].exists_one(x, 1 / x == 1)", "error: division by zero"),
        ])
    func absorption(_ example: Example) { #expect(outcome(example.text) == example.expected) }

    @Test(
        "Without a check, wrong types are errors of the evaluation",
        arguments: [
            Example("1 && false", "false"), Example("1 || true", "true"),
            Example("1 && true", "error: no such overload: an operand of \"&&\" is not a bool"),
            Example("false || 'a'", "error: no such overload: an operand of \"||\" is not a bool"),
            Example("1 ? 2 : 3", "error: no such overload: the condition of \"?:\" is not a bool"),
            Example("'a'.all(x, true)", "error: no such overload: expected a list or a map for a macro, found string"),
            Example("[1].filter(x, x)", "error: no such overload: expected a bool in a macro, found int"),
            Example("[?1]", "error: no such overload: expected an optional after \"?\", found int"),
            Example("unknown || true", "true"), Example("f(1) || true", "true"),
            Example("unknown", "error: unknown name \"unknown\""),
            Example("[1] < [2]", "error: no such overload"), Example("null <= null", "error: no such overload"),
            Example("1 == 'a'", "false"), Example("{1.5: 1}", "error: unsupported map key type double"),
            Example("-false", "error: no such overload: operator \"-\" does not take (bool)"),
        ])
    func unchecked(_ example: Example) { #expect(outcome(example.text, checked: false) == example.expected) }

    @Test(
        "Elements and fields",
        arguments: [
            Example("[1, 2, 3][0]", "1"), Example("[1][1]", "error: index out of range: 1"),
            Example("[1][-1]", "error: index out of range: -1"), Example("[1, 2][dyn(1.0)]", "2"),
            Example("[1, 2][dyn(0.5)]", "error: index out of range: 0.5"),
            Example("{'a': 1}.a", "1"), Example("{'a': 1}['b']", "error: no such key: \"b\""),
            Example("has({'a': 1}.a)", "true"), Example("has({'a': 1}.b)", "false"),
            Example("{'a': 1, 'a': 2}", "error: repeated map key"), Example("{1: 1, 1u: 2}", "error: repeated map key"),
            Example("'a' in {'a': 1}", "true"), Example("2 in [1, 2]", "true"), Example("size({1: 2})", "1"),
            Example("dyn(1).x", "error: int has no field \"x\""),
        ])
    func elements(_ example: Example) { #expect(outcome(example.text) == example.expected) }
}
