import Testing

@testable import SnapshotStores

@Suite struct ExpiryRuleTests {
    @Test(
        "A snapshot expires at the earlier of its two times, to the millisecond",
        arguments: [
            // Time to live, entry, field, and the first millisecond at which it has expired (nil for never).
            (nil, 1000, .missing, nil),
            (nil, 1000, .milliseconds(5000), 5000),
            (nil, 1000, .milliseconds(0), 0),
            (nil, 1000, .milliseconds(-5), -5),
            (nil, 1000, .unreadable, Int64.min),
            (500, 1000, .missing, 1500),
            (500, 1000, .milliseconds(1400), 1400),
            (500, 1000, .milliseconds(1600), 1500),
            (500, 1000, .milliseconds(.max), 1500),
            (500, 1000, .unreadable, Int64.min),
            (1, 0, .missing, 1),
            (2_592_000_000, 1_700_000_000_000, .missing, 1_702_592_000_000),
            // Ids and times beyond all bounds.
            (500, .max, .missing, nil),
            (500, UInt64(Int64.max), .missing, nil),
            (500, UInt64(Int64.max) - 501, .missing, Int64.max - 1),
            (.max, 1, .missing, nil),
            (.max, .max, .milliseconds(7), 7),
            (nil, .max, .milliseconds(.min), Int64.min),
        ] as [(Int64?, UInt64, ExpiryRule.FieldTime, Int64?)])
    func expires(timeToLive: Int64?, entry: UInt64, field: ExpiryRule.FieldTime, from first: Int64?) {
        let rule = ExpiryRule(timeToLive: timeToLive)
        #expect(rule.expiryTime(entryTime: entry, field: field) == (first ?? .max))
        func isExpired(_ now: Int64) -> Bool { rule.isExpired(entryTime: entry, field: field, now: now) }
        guard let first else {
            #expect(!isExpired(.min) && !isExpired(0) && !isExpired(.max))
            return
        }
        #expect(isExpired(first) && isExpired(.max))
        if first > .min { #expect(!isExpired(first - 1) && !isExpired(.min)) }
    }

    /// Texts in the field, and their time; nil for those that are none.
    static let texts: [(String, Int64?)] = [
        ("0", 0), ("1700000000000", 1_700_000_000_000), ("-1", -1), ("007", 7),
        ("999999999999999999", 999_999_999_999_999_999), ("1000000000000000000", nil),
        ("99999999999999999999999", nil), ("", nil), ("-", nil), ("+1", nil), (" 1", nil), ("1 ", nil), ("1.5", nil),
        ("1e3", nil), ("0x10", nil), ("soon", nil), ("٣", nil), ("never", nil),
        ("1970-01-01T00:00:00Z", 0), ("1970-01-01t00:00:00z", 0), ("1970-01-01 00:00:01Z", 1000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000), ("2023-11-14T22:13:20.5Z", 1_700_000_000_500),
        ("2023-11-14T22:13:20.123456789Z", 1_700_000_000_123), ("2023-11-14T22:13:20.0009Z", 1_700_000_000_000),
        ("2023-11-15T00:13:20+02:00", 1_700_000_000_000), ("2023-11-14T16:43:20-05:30", 1_700_000_000_000),
        ("2024-02-29T12:00:00Z", 1_709_208_000_000), ("2023-02-29T12:00:00Z", nil),
        ("2000-02-29T00:00:00Z", 951_782_400_000), ("1900-02-29T00:00:00Z", nil),
        ("2024-03-01T00:00:00Z", 1_709_251_200_000),
        ("1969-12-31T23:59:59.999Z", -1), ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999), ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2023-11-14T22:13:61Z", nil), ("2023-11-14T22:60:20Z", nil), ("2023-11-14T24:00:00Z", nil),
        ("2023-13-14T22:13:20Z", nil), ("2023-00-14T22:13:20Z", nil), ("2023-11-31T22:13:20Z", nil),
        ("2023-11-00T22:13:20Z", nil), ("2023-11-14T22:13:20", nil), ("2023-11-14", nil), ("2023-11-14T22:13Z", nil),
        ("2023-11-14T22:13:20.Z", nil), ("2023-11-14T22:13:20+0200", nil), ("2023-11-14T22:13:20+24:00", nil),
        ("2023-11-14T22:13:20+02:60", nil), ("2023-11-14T22:13:20Zx", nil), ("x2023-11-14T22:13:20Z", nil),
        ("23-11-14T22:13:20Z", nil), ("12023-11-14T22:13:20Z", nil), ("2023-11-14_22:13:20Z", nil),
    ]

    @Test("A text is a number of milliseconds or a timestamp, and nothing else", arguments: Self.texts)
    func reads(text: String, time: Int64?) {
        let expected: ExpiryRule.FieldTime = if let time { .milliseconds(time) } else { .unreadable }
        let found = ExpiryRule.FieldTime(text: text.utf8.span)
        #expect(found == expected)
    }

    @Test("A text that is cut off anywhere is never a later time")
    func cutOff() {
        for (text, time) in Self.texts {
            for count in 0..<text.utf8.count {
                let part = Array(text.utf8.prefix(count))
                guard case .milliseconds(let found) = ExpiryRule.FieldTime(text: part.span) else { continue }
                // What is left of a number is a smaller one; of a timestamp, only the year is a number.
                #expect(found <= (time ?? .max) || count <= 5)
            }
        }
    }
}
