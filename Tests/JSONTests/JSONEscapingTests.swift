import Testing

@testable import JSON

@Suite struct JSONEscapingTests {
    private func written(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONString.append(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(
        "Text is escaped if JSON requires it or a terminal would act on it, and not otherwise",
        arguments: [
            ("", ""), ("plain é日😀", "plain é日😀"), ("\"\\/", #"\"\\/"#), ("\n\r\t\0", #"\n\r\t\u0000"#),
            ("\u{1B}\u{1F} \u{7E}\u{7F}\u{80}\u{9B}\u{9F}\u{A0}", "\\u001b\\u001f ~\\u007f\\u0080\\u009b\\u009f\u{A0}"),
            ("a\u{2028}\u{2029}\u{202E}b\u{2066}\u{2069}\u{61C}", #"a\u2028\u2029\u202eb\u2066\u2069\u061c"#),
            (
                "\u{200D}\u{2027}\u{202F}\u{2065}\u{206A}\u{FFFD}\u{10FFFF}",
                "\u{200D}\u{2027}\u{202F}\u{2065}\u{206A}\u{FFFD}\u{10FFFF}"
            ),
        ])
    func escaped(text: String, expected: String) {
        #expect(self.written(text) == "\"\(expected)\"")
    }

    @Test("Every character up to U+FFFF is read back as it was written")
    func roundTrip() throws {
        // One expectation for all: evaluating one for each would take most of the time.
        var wrong: [UInt32] = []
        for value in UInt32(0)...0xFFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let text = "a\(scalar)b"
            let document = Array("{\(self.written(text)):\(self.written(text))}".utf8)
            var scanner = JSONScanner()
            try scanner.begin(document.span)
            scanner.enterObject(document.span)
            let isFirst = try scanner.nextMember(document.span, isFirst: true) != nil
            var output: [UInt8] = []
            try scanner.value(document.span, depth: 1).appendText(of: document.span, to: &output)
            let isLast = try scanner.nextMember(document.span, isFirst: false) == nil
            try scanner.end(document.span)
            if !isFirst || !isLast || output != Array(text.utf8) { wrong.append(value) }
        }
        #expect(wrong.isEmpty)
    }

    @Test("A document is written on one line, with the escapes of text for people")
    func documents() {
        let text = "{\n \"a\":\t[1.50,\r\n\"\\n\u{7F}\u{85}\u{202E}é😀\"] }"
        var output: [UInt8] = []
        JSONString.appendDocument(Array(text.utf8).span, to: &output)
        let expected = "{ \"a\":\t[1.50,\"\\n\\u007f\\u0085\\u202eé😀\"] }"
        #expect(String(decoding: output, as: UTF8.self) == expected)
    }
}
