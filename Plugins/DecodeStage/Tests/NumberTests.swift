import StageKit
import StageTestKit
import Testing

@Suite struct NumberTests {
    @Test(
        "Integers may have a sign, leading zeros and surrounding white space",
        arguments: [
            ("0", 0), ("5", 5), ("+5", 5), ("-5", -5), ("-0", 0), ("+0", 0), (" 5 ", 5), ("\t5\r\n", 5),
            ("\u{A0}5\u{3000}", 5), ("\u{85}-7\u{2028}", -7), ("0000000000000000000000000000000000000000005", 5),
            ("-00000000000000000000000000009223372036854775808", Int64.min), ("1700000000000", 1_700_000_000_000),
            ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min),
            ("-9223372036854775807", -Int64.max),
        ] as [(String, Int64)])
    func number(text: String, value: Int64) throws {
        let report = try Sample.decode(balance: text)
        #expect(report.ending == .next)
        #expect(report.values["balance"]?.integer == value)
        #expect(report.text("balance") == text)
    }

    @Test(
        "Anything else is not an integer; the message shows it trimmed and quoted",
        arguments: [
            ("", "\"\""), (" \t", "\"\""), ("+", "\"+\""), ("-", "\"-\""), ("abc", "\"abc\""), (" abc ", "\"abc\""),
            ("1_000", "\"1_000\""), ("0x10", "\"0x10\""), ("1.5", "\"1.5\""), ("1e3", "\"1e3\""), ("+-5", "\"+-5\""),
            ("--5", "\"--5\""), ("- 5", "\"- 5\""), ("5 5", "\"5 5\""), ("5-", "\"5-\""), ("٥", "\"٥\""),
            ("５", "\"５\""), ("5\u{200B}", "\"5\\u200b\""), ("\u{FEFF}5", "\"\\ufeff5\""), ("5\0", "\"5\\x00\""),
            ("\"5\"", "\"\\\"5\\\"\""), ("18446744073709551615x", "\"18446744073709551615x\""),
        ])
    func notANumber(text: String, quoted: String) throws {
        let report = try Sample.decode(balance: text)
        #expect(report.failureMessage == "decode account event: balance: \(quoted) is not a whole number")
    }

    @Test(
        "Integers beyond 64 bits are distinguished from other text, from left to right",
        arguments: [
            "9223372036854775808", "-9223372036854775809", "+9223372036854775808", "18446744073709551615",
            "18446744073709551616", "-18446744073709551616", "99999999999999999999", "99999999999999999999abc",
            "18446744073709551616x", "000099999999999999999999999",
        ])
    func outOfRange(text: String) throws {
        let report = try Sample.decode(balance: text)
        #expect(
            report.failureMessage
                == "decode account event: balance: \"\(text)\" is out of range for a 64-bit number")
    }

    @Test("Only the beginning of a very long text is shown")
    func longText() throws {
        let message = try Sample.decode(balance: String(repeating: "x", count: 100_000)).failureMessage
        let shown = String(repeating: "x", count: QuotedText.byteLimit)
        #expect(message == "decode account event: balance: \"\(shown)\"… is not a whole number")
    }
}
