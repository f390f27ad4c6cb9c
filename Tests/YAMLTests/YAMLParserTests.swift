import Testing
import YAML

@Suite struct YAMLParserTests {
    @Test(
        "Every node keeps its text, its order and its position",
        arguments: [
            // Block collections; the empty value stands behind its colon.
            ("a: 1\nb:\n  - x\n  - y: z\n", "1:1{1:1(a)=1:4(1) 2:1(b)=3:3[3:5(x) 4:5{4:5(y)=4:8(z)}]}"),
            ("a:\nb: ~\n", "1:1{1:1(a)=1:3() 2:1(b)=2:4(~)}"),
            ("-\n- - 1\n  - 2\n", "1:1[1:2() 2:3[2:5(1) 3:5(2)]]"),
            ("z: 1\na: 2\nm: 3\n", "1:1{1:1(z)=1:4(1) 2:1(a)=2:4(2) 3:1(m)=3:4(3)}"),
            // An indentless list below its key.
            ("a:\n- 1\nb: 2\n", "1:1{1:1(a)=2:1[2:3(1)] 3:1(b)=3:4(2)}"),
            // Flow collections.
            ("{a: [1, 'x'], b: {}}", "1:1{1:2(a)=1:5[1:6(1) 1:9'x'] 1:15(b)=1:18{}}"),
            ("[a: 1, ]", "1:1[1:2{1:2(a)=1:5(1)}]"),
            // An empty value between brackets stands where the next sign does.
            ("{a, b: }", "1:1{1:2(a)=1:3() 1:5(b)=1:8()}"),
            // Quotes, escapes and lines that go on.
            (#"a: "x\ty\"\u00e9\0""#, "1:1{1:1(a)=1:4'x\ty\"\u{e9}\0'}"),
            ("a: 'it''s'\n", "1:1{1:1(a)=1:4'it's'}"),
            ("'a': \"b\n  c\n\n  d\"\n", "1:1{1:1'a'=1:6'b c\nd'}"),
            ("a: one\n  two\n\n  three # no\n", "1:1{1:1(a)=1:4(one two\nthree)}"),
            ("a: b#c:d\n", "1:1{1:1(a)=1:4(b#c:d)}"),
            // Block scalars with every way to end them.
            ("a: |\n  x\n   y\n\nb: 1\n", "1:1{1:1(a)=1:4'x\n y\n' 5:1(b)=5:4(1)}"),
            ("a: |-\n  x\n", "1:1{1:1(a)=1:4'x'}"),
            ("a: |+\n  x\n\n", "1:1{1:1(a)=1:4'x\n\n'}"),
            ("a: >\n  x\n  y\n\n  z\n", "1:1{1:1(a)=1:4'x y\nz\n'}"),
            ("a: |2\n   x\n", "1:1{1:1(a)=1:4' x\n'}"),
            // Columns count scalars, not bytes and not what looks like one character.
            ("é: ü\n", "1:1{1:1(é)=1:4(ü)}"),
            ("{😀: 1, e\u{301}: 2}", "1:1{1:2(😀)=1:5(1) 1:8(e\u{301})=1:12(2)}"),
            // Line ends: LF, CR LF and CR mean the same.
            ("a: 1\r\nb: |\r\n  x\r\n  y\r\n", "1:1{1:1(a)=1:4(1) 2:1(b)=2:4'x\ny\n'}"),
            ("a: 1\rb: 2\r", "1:1{1:1(a)=1:4(1) 2:1(b)=2:4(2)}"),
            ("a: 'x\r\n  y'\r\nb: 2", "1:1{1:1(a)=1:4'x y' 3:1(b)=3:4(2)}"),
            // A node with an anchor or a tag begins there.
            ("a: &x 1\n", "1:1{1:1(a)=1:4(1)}"),
            ("a: !!str 5\nb: !!seq [1]\nc: !!map {}\n", "1:1{1:1(a)=1:4'5' 2:1(b)=2:4[2:11(1)] 3:1(c)=3:4{}}"),
            ("a: &x\n  b: 1\n", "1:1{1:1(a)=1:4{2:3(b)=2:6(1)}}"),
            // Document markers, directives and comments.
            ("%YAML 1.2\n---\n# c\na: 1\n...\n", "4:1{4:1(a)=4:4(1)}"),
            ("--- text\n", "1:5(text)"),
            ("\"\"", "1:1''"),
            ("? a\n: b\n", "1:1{1:3(a)=2:3(b)}"),
        ])
    func tree(text: String, expected: String) throws {
        let found = outline(try YAMLParser.parse(text))
        #expect(found == expected)
    }

    @Test(
        "A document without a value has no tree",
        arguments: ["", "\n \n", "# only\n# comments", "---\n", "--- # c\n...\n"])
    func empty(text: String) throws {
        #expect(try YAMLParser.parse(text) == nil)
    }

    @Test("An explicit null is a tree", arguments: ["~", "null\n", "--- null\n"])
    func null(text: String) throws {
        let node = try #require(try YAMLParser.parse(text))
        guard case .scalar(let scalar) = node.content else {
            Issue.record("not a scalar: \(node)")
            return
        }
        #expect(scalar.isNull)
    }

    @Test(
        "An alias is a copy at the alias's position that keeps the positions inside",
        arguments: [
            ("a: &x 1\nb: *x\n", "1:1{1:1(a)=1:4(1) 2:1(b)=2:4(1)}"),
            ("- &x {k: [1]}\n- *x\n", "1:1[1:3{1:7(k)=1:10[1:11(1)]} 2:3{1:7(k)=1:10[1:11(1)]}]"),
            ("- &x a\n- *x : 1\n", "1:1[1:3(a) 2:3{2:3(a)=2:8(1)}]"),
            // The last anchor of a name counts, also one inside the other.
            ("- &x 1\n- &x 2\n- *x\n", "1:1[1:3(1) 2:3(2) 3:3(2)]"),
            ("- &x [&x 1]\n- *x\n", "1:1[1:3[1:7(1)] 2:3(1)]"),
            ("- &x\n- *x\n", "1:1[1:3() 2:3()]"),
        ])
    func alias(text: String, expected: String) throws {
        let found = outline(try YAMLParser.parse(text))
        #expect(found == expected)
    }

    @Test("Bytes and text give the same tree")
    func bytes() throws {
        let text = "ä: [1, 2]\n"
        #expect(try YAMLParser.parse(Array(text.utf8)) == YAMLParser.parse(text))
    }
}
