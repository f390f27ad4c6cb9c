import Testing

@testable import JSON

@Suite struct JSONScannerTests {
    /// What is wrong with a text whose object is read member by member; nil where nothing is.
    private func problem(_ bytes: [UInt8]) -> JSONProblem? {
        let span = bytes.span
        var scanner = JSONScanner()
        do throws(JSONProblem) {
            try scanner.begin(span)
            scanner.enterObject(span)
            var isFirst = true
            while try scanner.nextMember(span, isFirst: isFirst) != nil {
                isFirst = false
                _ = try scanner.value(span, depth: 1)
            }
            try scanner.end(span)
            return nil
        } catch {
            return error
        }
    }

    private func problem(_ text: String) -> JSONProblem? { self.problem(Array(text.utf8)) }

    @Test(
        "Text that RFC 8259 allows is accepted",
        arguments: [
            "{}", " \t\r\n{ } \n", "{\"a\":1}", "{\"\":0}", "{\"a\":1,\"a\":2}", "{ \"a\" : 1 , \"b\" : 2 }",
            "{\"a\":-0}", "{\"a\":-1.5e+10}", "{\"a\":0.0E-0}", "{\"a\":1E400}",
            "{\"a\":123456789012345678901234567890}",
            "{\"a\":true,\"b\":false,\"c\":null}", "{\"a\":[]}", "{\"a\":[1,[2,{\"b\":[]}],{}]}", "{\"a\":{\"b\":{}}}",
            "{\"a\":[ ]}", "{\"a\":{ }}", "{\"a\":[ 1 , 2 ] }", "{\"a\":\"\"}",
            "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
            "{\"a\":\"\\u0000\\uFFFF\\u00e9\\uD83D\\uDE00\"}", "{\"\\u0061\":1}",
            "{\"a\":\"\u{7F}\u{80}é日😀\u{10FFFF}\"}",
            "{\"a\":\"\u{2028}\u{FEFF}\"}", "{\"a\":\"/'`\"}",
        ])
    func good(text: String) {
        #expect(self.problem(text) == nil)
    }

    @Test(
        "Other text is refused with the position of the error",
        arguments: [
            ("", 0, "expected an object, found the end of the text"),
            ("  ", 2, "expected an object, found the end of the text"),
            ("[]", 0, "expected an object"), ("1", 0, "expected an object"), ("\"a\"", 0, "expected an object"),
            ("null", 0, "expected an object"), ("'{}'", 0, "expected an object"),
            ("\u{FEFF}{}", 0, "byte order mark not allowed"),
            ("\u{A0}{}", 0, "expected an object"), ("// a\n{}", 0, "expected an object"),
            ("{", 1, "expected a name in quotes, found the end of the text"), ("{]", 1, "expected a name in quotes"),
            ("{a:1}", 1, "expected a name in quotes"), ("{'a':1}", 1, "expected a name in quotes"),
            ("{1:1}", 1, "expected a name in quotes"), ("{,}", 1, "expected a name in quotes"),
            ("{\"a\"}", 4, "expected :"), ("{\"a\" 1}", 5, "expected :"),
            ("{\"a\"", 4, "expected :, found the end of the text"),
            ("{\"a\":}", 5, "expected a value"), ("{\"a\":", 5, "expected a value, found the end of the text"),
            ("{\"a\":1", 6, "expected , or }, found the end of the text"), ("{\"a\":1]", 6, "expected , or }"),
            ("{\"a\":1,}", 7, "expected a name in quotes"), ("{\"a\":1,,\"b\":2}", 7, "expected a name in quotes"),
            ("{\"a\":1 \"b\":2}", 7, "expected , or }"), ("{\"a\":1}}", 7, "unexpected data after the object"),
            ("{} {}", 3, "unexpected data after the object"), ("{}x", 2, "unexpected data after the object"),
            ("{}\0", 2, "unexpected data after the object"),
            ("{\"a\":[1,]}", 8, "expected a value"), ("{\"a\":[1 2]}", 8, "expected , or ]"),
            ("{\"a\":[1}", 7, "expected , or ]"), ("{\"a\":[", 6, "expected a value, found the end of the text"),
            ("{\"a\":[1", 7, "expected , or ], found the end of the text"),
            ("{\"a\":{\"b\":1]}", 11, "expected , or }"),
            ("{\"a\":{\"b\":1,}}", 12, "expected a name in quotes"),
            ("{\"a\":NaN}", 5, "expected a value"), ("{\"a\":Infinity}", 5, "expected a value"),
            ("{\"a\":-Infinity}", 6, "expected a digit"), ("{\"a\":undefined}", 5, "expected a value"),
            ("{\"a\":True}", 5, "expected a value"), ("{\"a\":tru}", 5, "expected a value"),
            ("{\"a\":nul", 5, "expected a value"), ("{\"a\":nullx}", 9, "expected , or }"),
            ("{\"a\":01}", 6, "expected , or }"), ("{\"a\":+1}", 5, "expected a value"),
            ("{\"a\":-}", 6, "expected a digit"), ("{\"a\":-01}", 7, "expected , or }"),
            ("{\"a\":.5}", 5, "expected a value"), ("{\"a\":1.}", 7, "expected a digit"),
            ("{\"a\":1.e1}", 7, "expected a digit"), ("{\"a\":1e}", 7, "expected a digit"),
            ("{\"a\":1e+}", 8, "expected a digit"), ("{\"a\":0x10}", 6, "expected , or }"),
            ("{\"a\":1_000}", 6, "expected , or }"), ("{\"a\":1e", 7, "expected a digit, found the end of the text"),
            ("{\"a\":\"x}", 8, "expected a closing quote"),
            ("{\"a\":\"\n\"}", 6, "unescaped control character in a string"),
            ("{\"a\":\"\0\"}", 6, "unescaped control character in a string"),
            ("{\"a\":\"\u{1F}\"}", 6, "unescaped control character in a string"),
            ("{\"a\":\"\\x41\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\'\"}", 6, "invalid escape sequence"), ("{\"a\":\"\\", 6, "invalid escape sequence"),
            ("{\"a\":\"\\u12\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\u12G4\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\U0041\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"x\\uD800\"}", 7, "invalid escape sequence"),
            ("{\"a\":\"\\uDC00\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\uDC00\\uD800\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\uD800\\u0041\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\uD800\\uD800\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\uD800\\n\"}", 6, "invalid escape sequence"),
            ("{\"a\":\"\\uD800\\uDC0", 6, "invalid escape sequence"),
        ])
    func bad(text: String, offset: Int, message: String) {
        let ending = message.hasSuffix("closing quote") ? ", found the end of the text" : ""
        #expect(self.problem(text) == JSONProblem(offset: offset, message: message + ending))
    }

    @Test(
        "Text that is not UTF-8 is refused with its first invalid byte",
        arguments: [
            [0xFF], [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0xBF], [0xE2, 0x82], [0xED, 0xA0, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x28, 0xA1],
        ] as [[UInt8]])
    func notUTF8(text: [UInt8]) {
        let before = Array("{\"a\":\"é".utf8)
        let expected = JSONProblem(offset: before.count, message: "invalid UTF-8")
        #expect(self.problem(before + text + Array("\"}".utf8)) == expected)
        #expect(self.problem(before + text) == expected)
    }

    @Test("Objects and arrays can be nested 64 levels deep, and no deeper")
    func depth() {
        // The document's object is the first.
        func lists(_ count: Int) -> String {
            "{\"a\":" + String(repeating: "[", count: count) + String(repeating: "]", count: count) + "}"
        }
        func objects(_ count: Int) -> String {
            String(repeating: "{\"a\":", count: count) + "1" + String(repeating: "}", count: count)
        }
        let message = "nested more than 64 levels deep"
        #expect(self.problem(lists(63)) == nil)
        #expect(self.problem(lists(64)) == JSONProblem(offset: 5 + 63, message: message))
        #expect(self.problem(objects(64)) == nil)
        #expect(self.problem(objects(65)) == JSONProblem(offset: 5 * 64, message: message))
        #expect(self.problem(String(repeating: "{\"a\":[", count: 500_000))?.message == message)
        #expect(self.problem("{\"a\":" + String(repeating: "[", count: 1_000_000))?.message == message)
        let mixed =
            "{\"a\":" + String(repeating: "[{\"b\":", count: 31) + "0" + String(repeating: "}]", count: 31) + "}"
        #expect(self.problem(mixed) == nil)
    }

    @Test("Every prefix of valid text is refused, and none is read beyond its end")
    func truncated() {
        let text = Array(
            "{\"a\":[1.5e-3,{\"\\uD83D\\uDE00é\":null}],\"b\":\"x\\n😀\",\"c\":{\"d\":[[],{}]},\"e\":true}".utf8)
        #expect(self.problem(text) == nil)
        for length in 0..<text.count { #expect(self.problem(Array(text[..<length])) != nil, "\(length)") }
    }

    @Test("Whatever single byte is changed, the scan ends")
    func mutated() {
        let text = Array("{\"a\":[1,{\"b\":\"\\u00e9é\"}],\"c\":-0.5E+2,\"d\":null}".utf8)
        var refused = 0
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[index] = byte
                if let problem = self.problem(changed) {
                    refused += 1
                    #expect((0...text.count).contains(problem.offset))
                }
            }
        }
        #expect(refused > text.count * 128)
    }

    @Test(
        "Escapes become the characters they mean",
        arguments: [
            ("", ""), ("plain é", "plain é"), ("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\u{8}\u{C}\n\r\t"),
            ("\\u0041\\u00e9\\u00E9\\u65e5", "Aéé日"), ("\\u0000x", "\0x"),
            ("\\u007f\\u0080\\u07ff\\u0800", "\u{7F}\u{80}\u{7FF}\u{800}"),
            ("\\uFFFF\\ufffe", "\u{FFFF}\u{FFFE}"), ("\\uD83D\\uDE00!", "😀!"),
            ("\\uD800\\uDC00\\uDBFF\\uDFFF", "\u{10000}\u{10FFFF}"),
            ("a\\\\nb", "a\\nb"), ("\\\\u0041", "\\u0041"),
        ])
    func unescape(text: String, meaning: String) {
        var output: [UInt8] = []
        JSONString.unescape(Array(text.utf8).span, into: &output)
        #expect(output == Array(meaning.utf8))
        #expect(output.count <= text.utf8.count)
    }

    @Test(
        "A document may be any value",
        arguments: [
            ("1", nil), (" \"a\" ", nil), ("null", nil), ("[1,[2]]\n", nil), ("{\"a\":[]}", nil), ("", 0), (" ", 1),
            ("1 2", 2), ("[1", 2), ("{", 1), ("nul", 0), ("\u{FEFF}1", 0),
        ] as [(String, Int?)])
    func documents(text: String, problem: Int?) {
        var found: Int?
        do throws(JSONProblem) {
            _ = try JSONScanner.document(Array(text.utf8).span)
        } catch {
            found = error.offset
        }
        #expect(found == problem)
    }

    @Test("The elements of a list are read one by one, and a string's source includes its quotes")
    func elements() throws {
        let bytes = Array("[ 1 , \"a\" ,[2]]".utf8)
        var scanner = JSONScanner()
        scanner.enterList(bytes.span)
        var found: [String] = []
        while try scanner.nextElement(bytes.span, isFirst: found.isEmpty) {
            let value = try scanner.value(bytes.span, depth: 1)
            found.append(String(decoding: bytes[value.source], as: UTF8.self))
        }
        #expect(found == ["1", "\"a\"", "[2]"])
        #expect(scanner.index == bytes.count)
    }
}
