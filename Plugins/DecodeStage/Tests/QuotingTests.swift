import StageKit
import StageTestKit
import Testing

@Suite struct QuotingTests {
    @Test(
        "Names are quoted so that they can neither break nor forge a line",
        arguments: [
            ("a'b`c", "a'b`c"), ("a\"b", "a\\\"b"), ("a\\b", "a\\\\b"),
            ("\u{7}\u{8}\u{C}\n\r\t\u{B}", "\\a\\b\\f\\n\\r\\t\\v"), ("\u{1B}[0m", "\\x1b[0m"), ("\0", "\\x00"),
            ("\u{7F}", "\\x7f"), ("\u{80}", "\\u0080"), ("\u{A0}", "\\u00a0"), ("\u{AD}", "\\u00ad"),
            ("\u{200B}", "\\u200b"), ("\u{2028}", "\\u2028"), ("\u{3000}", "\\u3000"), ("\u{FEFF}", "\\ufeff"),
            ("\u{E000}", "\\ue000"), ("\u{FFFE}", "\\ufffe"), ("\u{10FFFF}", "\\U0010ffff"),
            ("\u{E0001}", "\\U000e0001"), ("é", "é"), ("e\u{301}", "e\u{301}"), ("日本", "日本"), ("😀", "😀"),
            ("\u{FFFD}", "\u{FFFD}"), (" x ", " x "),
        ])
    func quoting(name: String, quoted: String) throws {
        let message = try Sample.decode([name: "1"]).failureMessage
        #expect(message == "decode account event: unsupported field \"\(quoted)\"")
        // Equal strings may differ in their scalars.
        #expect(message.map { Array($0.utf8) } == Array("decode account event: unsupported field \"\(quoted)\"".utf8))
    }

    @Test(
        "Bytes that are not UTF-8 are spelled out one by one",
        arguments: [
            ([0xFF], "\\xff"), ([0x61, 0x85, 0x62], "a\\x85b"), ([0xC0, 0xA0], "\\xc0\\xa0"), ([0xC2], "\\xc2"),
            ([0xE2, 0x82], "\\xe2\\x82"), ([0xED, 0xA0, 0x80], "\\xed\\xa0\\x80"),
            ([0xE0, 0x80, 0x80], "\\xe0\\x80\\x80"), ([0xF0, 0x8F, 0xBF, 0xBF], "\\xf0\\x8f\\xbf\\xbf"),
            ([0xF4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"), ([0xF5, 0x80], "\\xf5\\x80"),
            ([0xE2, 0x82, 0xAC, 0xE2], "€\\xe2"), ([0xF0, 0x9F, 0x98, 0x80, 0x80], "😀\\x80"),
        ] as [([UInt8], String)])
    func notUTF8(name: [UInt8], quoted: String) throws {
        let message = try Sample.decode(bytes: [(name, [])]).failureMessage
        #expect(message == "decode account event: unsupported field \"\(quoted)\"")
    }
}
