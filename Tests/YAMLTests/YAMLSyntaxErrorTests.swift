import Testing
import YAML

@Suite struct YAMLSyntaxErrorTests {
    /// A tab in the indentation.
    static let tab = "found a tab where indentation was expected: use spaces"
    /// A colon that would make a key inside a value.
    static let colon =
        #"found ":" where no key is allowed: check the indentation, or quote text that contains ": ""#
    /// Something behind a value on its line.
    static let ended = "the value before this has already ended: check its quotes or brackets"
    /// A quote still open at the end.
    static let unclosed = "the quoted text that starts here has no closing quote"
    /// A line without a colon among keys.
    static let key = #"expected ":" after the key that starts here (it must fit on one line, in 1024 characters)"#
    /// A numeric escape without its digits.
    static let hex = #"expected hexadecimal digits: 2 after "\x", 4 after "\u", 8 after "\U""#

    /// The message for `&` or `*` without a name.
    static func name(_ sign: String) -> String {
        "the name after \"\(sign)\" may have only letters, digits, \"-\" and \"_\": "
            + "put the value in quotes if it is text"
    }

    /// The message for a character that cannot begin plain text.
    static func quote(_ character: String) -> String { "a value cannot start with \"\(character)\": put it in quotes" }

    @Test(
        "Wrong indentation is reported at its position",
        arguments: [
            ("a: 1\n\tb: 2\n", "2:1: \(tab)"),
            ("a:\n\t- 1\n", "2:1: \(tab)"),
            ("a: |\n\tx\n", "2:1: \(tab)"),
            ("a: b\n\n\tc: d\n", "3:1: \(tab)"),
            ("-\t1\n", "1:2: \(tab)"),
            ("a: b: c\n", "1:5: \(colon)"),
            ("a: 1\n b: 2\n", "2:3: \(colon)"),
            ("--- a\nb\nc: d\n", "3:2: \(colon)"),
            ("a: 1\nfoo\nb: 2\n", "2:1: \(key)"),
            ("- a\n-b\n", "2:1: \(key)"),
            (
                "a:\n  b: 1\n c: 2\n",
                "3:2: expected a key of the mapping that starts at 1:1, or its end: check the indentation"
            ),
            (
                "a:\n  - 1\n  b: 2\n",
                "3:3: expected \"- \" for the list that starts at 2:3, or its end: check the indentation"
            ),
            (
                "a: - 1\n",
                "1:4: a list entry (\"- \") cannot start here: put it on a line of its own and check the indentation"
            ),
            (
                "a: ? b\n",
                "1:4: a key (\"? \") cannot start here: put it on a line of its own and check the indentation"
            ),
        ])
    func indentation(text: String, expected: String) {
        #expect(refusal(of: text)?.description == expected)
    }

    @Test(
        "Unclosed or invalid brackets, quotes and escapes are reported at their position",
        arguments: [
            ("a: [1, 2\n", "2:1: expected \",\" or \"]\" in the list that starts at 1:4"),
            ("a: [1, 2", "1:9: expected \",\" or \"]\" in the list that starts at 1:4"),
            ("a: [1\nb: 3\n", "2:2: expected \",\" or \"]\" in the list that starts at 1:4"),
            ("a: {b: 1 c: 2}\n", "1:11: expected \",\" or \"}\" in the mapping that starts at 1:4"),
            ("a: {b: ${X}}\n", "1:9: expected \",\" or \"}\" in the mapping that starts at 1:4"),
            ("a: ]\n", "1:4: expected a value here"),
            ("}\n", "1:1: expected a value here"),
            ("a: [,]\n", "1:5: expected a value here"),
            ("{: 1}\n", "1:2: expected a value here"),
            ("k: [a, b]]\n", "1:10: \(ended)"),
            ("a: 'it's'\n", "1:8: \(ended)"),
            ("\"a\" b\n", "1:5: \(ended)"),
            ("- 'x' y\n", "1:7: \(ended)"),
            ("a: 1\nb: \"x\nc: 1\n", "2:4: \(unclosed)"),
            ("a: 'x\n", "1:4: \(unclosed)"),
            (
                "a: \"x\n---\ny\"\n",
                "2:1: found \"---\" or \"...\" inside the quoted text that starts at 1:4: close the quote first"
            ),
            (
                #"a: "C:\dir""#,
                #"1:7: unknown escape in double quotes: write "\\" for a backslash, or use single quotes"#
            ),
            (#"a: "\xZZ""#, "1:7: \(hex)"),
            (#"a: "\u12""#, "1:7: \(hex)"),
            (#"a: "\ud800""#, "1:7: this escape is not a Unicode character"),
            (
                "a: [x:]\n",
                "1:6: found \":\" inside unquoted text between brackets: put a space after it, or the text in quotes"
            ),
            ("a: |x\n", "1:5: expected the end of the line here, or a comment after a space"),
            ("a: >0\n", "1:5: the indentation after \"|\" or \">\" must be 1 to 9"),
        ])
    func brackets(text: String, expected: String) {
        #expect(refusal(of: text)?.description == expected)
    }

    @Test(
        "Text that begins with a YAML indicator gets the advice to quote it",
        arguments: [
            ("a: @x\n", "1:4: \(quote("@"))"),
            ("a: `x`\n", "1:4: \(quote("`"))"),
            ("é: %x\n", "1:4: \(quote("%"))"),
            ("a: & x\n", "1:5: \(name("&"))"),
            ("a: *.log\n", "1:5: \(name("*"))"),
            ("a: !<x y\n", "1:7: did not find the expected '>' while scanning a tag"),
            ("%YAML 3.0\n---\na\n", "1:1: this YAML version is not supported: write %YAML 1.2, or remove the line"),
            (
                "%FOO\n---\na\n",
                "1:5: unknown directive: put text that starts with \"%\" in quotes, or remove the line"
            ),
            (
                "%YAML 1.2\na: 1\n",
                "2:1: the document's value has already ended: check the indentation "
                    + "and that \"---\" follows directives"
            ),
        ])
    func signs(text: String, expected: String) {
        #expect(refusal(of: text)?.description == expected)
    }
}
