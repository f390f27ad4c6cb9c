import Testing
import YAML

@Suite struct YAMLRefusalTests {
    /// The message for a tag.
    static let tag =
        "tags are not supported, except !!str, !!seq and !!map: remove the tag, or quote the value if it is text"

    /// The message for a key that is a collection.
    static func key(_ found: String) -> String {
        "a key must be text, found \(found): quote it if the brackets or braces are part of the text"
    }

    @Test(
        "Valid YAML that a configuration does not support is refused with the alternative",
        arguments: [
            // Keys.
            ("a: 1\nb: 2\na: 3\n", "3:1: duplicate key \"a\" (first at 1:1)"),
            ("x:\n  - {k: 1, \"k\": 2}\n", "2:12: duplicate key \"k\" (first at 2:6)"),
            ("1: x\n'1': y\n", "2:1: duplicate key \"1\" (first at 1:1)"),
            ("\u{e9}: 1\ne\u{301}: 2\n", "2:1: duplicate key \"e\u{301}\" (first at 1:1)"),
            ("{\"a\\n\": 1, \"a\\n\": 2}", "1:12: duplicate key \"a\\x0A\" (first at 1:2)"),
            ("&k a: 1\n*k : 2\n", "2:1: duplicate key \"a\" (first at 1:1)"),
            ("[a]: 1\n", "1:1: \(key("a list"))"),
            ("? - a\n: b\n", "1:3: \(key("a list"))"),
            ("x: {{ y }}\n", "1:5: \(key("a mapping"))"),
            (
                "b: &x [1]\n*x : 2\n",
                "2:1: a key must be text, found an alias to a list or mapping: write the key itself"
            ),
            ("? \n: 1\n", "1:2: a key is missing before \":\": write it, or \"\" for an empty one"),
            (
                "b: &x {c: 1}\nd:\n  <<: *x\n",
                "3:3: merge keys (\"<<\") are not supported: write the keys themselves, "
                    + "or use an alias for a whole value (key: *name)"
            ),
            // Tags.
            ("a: !custom x\n", "1:4: \(tag)"),
            ("a: !custom [x]\n", "1:4: \(tag)"),
            ("a: !e!x 5\n", "1:4: \(tag)"),
            ("a: !!int 5\n", "1:4: \(tag)"),
            ("a: !!map [x]\n", "1:4: \(tag)"),
            ("a: !!binary aGk=\n", "1:4: \(tag)"),
            ("a: ! x\n", "1:4: \(tag)"),
            ("%TAG !e! tag:e.com,2000:\n---\na: 1\n", "1:1: %TAG is not supported: remove the line"),
            // Documents.
            ("a: 1\n---\nb: 2\n", "2:1: a second document starts here: keep one document in a file"),
            ("---\n---\n", "2:1: a second document starts here: keep one document in a file"),
            // Aliases.
            (
                "a: *x\n",
                "1:4: no anchor \"&x\" before this alias: define it first, or quote the value if it is text"
            ),
            (
                "a: *x\nb: &x 1\n",
                "1:4: no anchor \"&x\" before this alias: define it first, or quote the value if it is text"
            ),
            (
                "a: &x [1, *x]\n",
                "1:11: the alias \"*x\" is inside the value it stands for (from 1:4): write the value itself"
            ),
            (
                "a: &x 1\nb: &x {c: *x}\n",
                "2:11: the alias \"*x\" is inside the value it stands for (from 2:4): write the value itself"
            ),
        ])
    func refused(text: String, expected: String) {
        #expect(refusal(of: text)?.description == expected)
    }

    @Test(
        "The same text in quotes is a plain string",
        arguments: ["\"<<\": 1", "'': 1", "a: '*x'", "a: '!t'", "a: \"@\""])
    func quoted(text: String) throws {
        #expect(try YAMLParser.parse(text) != nil)
    }

    @Test("A message repeats only the beginning of a long key")
    func longKey() {
        let key = String(repeating: "k", count: 500)
        let shown = String(repeating: "k", count: 64)
        #expect(refusal(of: "\(key): 1\n\(key): 2\n")?.message == "duplicate key \"\(shown)...\" (first at 1:1)")
    }

    /// The message for bytes that are not UTF-8.
    static let utf8 = "found bytes that are not valid UTF-8: save the document as UTF-8"
    /// The message for a byte order mark.
    static let bom = "found a byte order mark (U+FEFF): save the document as UTF-8 without one"

    @Test(
        "Invalid or invisible characters are refused at their position",
        arguments: [
            (Array("a: é\nb: ".utf8) + [0xFF], "2:4: \(utf8)"),
            (Array("é".utf8) + [0xC3], "1:2: \(utf8)"),
            // Overlong, surrogate, beyond U+10FFFF, lone continuation.
            ([0xC0, 0x80], "1:1: \(utf8)"),
            ([0x61, 0xED, 0xA0, 0x80], "1:2: \(utf8)"),
            ([0xF4, 0x90, 0x80, 0x80], "1:1: \(utf8)"),
            ([0x0D, 0x0A, 0x0D, 0x80], "3:1: \(utf8)"),
            (Array("\u{FEFF}a: 1".utf8), "1:1: \(bom)"),
            (Array("a: \u{FEFF}1".utf8), "1:4: \(bom)"),
            ([0xFF, 0xFE, 0x61, 0x00], "1:1: the document is UTF-16: save it as UTF-8"),
            ([0xFE, 0xFF, 0x00, 0x61], "1:1: the document is UTF-16: save it as UTF-8"),
            (
                Array("a: x\0y".utf8),
                #"1:5: found the control character U+0000: remove it, or write "\x00" in double quotes"#
            ),
            (
                Array("# \u{7}".utf8),
                #"1:3: found the control character U+0007: remove it, or write "\x07" in double quotes"#
            ),
            (
                Array("\u{9B}".utf8),
                #"1:1: found the control character U+009B: remove it, or write "\x9B" in double quotes"#
            ),
            (
                Array("a: 1\r\nb: \u{2028}".utf8),
                "2:4: found the line separator U+2028: end the line with a line feed, "
                    + #"or write "\u2028" in double quotes"#
            ),
            (
                Array("\u{85}".utf8),
                "1:1: found the line separator U+0085: end the line with a line feed, "
                    + #"or write "\x85" in double quotes"#
            ),
        ] as [([UInt8], String)])
    func bytes(bytes: [UInt8], expected: String) {
        #expect(throws: YAMLError.self) { try YAMLParser.parse(bytes) }
        do {
            _ = try YAMLParser.parse(bytes)
        } catch {
            #expect(error.description == expected)
        }
    }
}
