import Testing

@testable import CEL

@Suite struct TimeZoneTests {
    /// A file of the zone database: a type per offset, and transitions to types.
    private static func file(
        offsets: [Int], transitions: [(Int64, Int)], footer: String, version: UInt8 = 0x32
    ) -> [UInt8] {
        func part(_ timeSize: Int, isEmpty: Bool) -> [UInt8] {
            func big(_ value: Int64, _ size: Int) -> [UInt8] {
                (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            }
            let changes = isEmpty ? [] : transitions
            let counts = [0, 0, 0, changes.count, offsets.count, 4]
            var bytes = Array("TZif".utf8) + [version] + [UInt8](repeating: 0, count: 15)
            for count in counts { bytes += big(Int64(count), 4) }
            for change in changes { bytes += big(change.0, timeSize) }
            for change in changes { bytes.append(UInt8(change.1)) }
            for offset in offsets { bytes += big(Int64(offset), 4) + [0, 0] }
            return bytes + Array("LMT".utf8) + [0]
        }
        if version == 0 { return part(4, isEmpty: false) }
        return part(4, isEmpty: true) + part(8, isEmpty: false) + Array("\n\(footer)\n".utf8)
    }

    @Test("The offset is that of the last transition, and that of the first type before the first transition")
    func transitions() throws {
        let bytes = Self.file(
            offsets: [3208, 3600, 7200], transitions: [(-2_000_000_000, 1), (100, 2), (200, 1)], footer: "")
        let rules = try #require(TimeZoneRules(bytes))
        let expected: [(Int64, Int)] = [
            (-3_000_000_000, 3208), (-2_000_000_001, 3208), (-2_000_000_000, 3600), (99, 3600), (100, 7200),
            (199, 7200), (200, 3600), (9_000_000_000, 3600),
        ]
        for (time, offset) in expected { #expect(rules.offset(at: time) == offset, "\(time)") }
        let old = Self.file(offsets: [0, 60], transitions: [(100, 1)], footer: "", version: 0)
        #expect(try #require(TimeZoneRules(old)).offset(at: 100) == 60)
    }

    /// The times around changes of 2030 and later, from the rules in words.
    @Test(
        "After the last transition, the rules for all years hold",
        arguments: [
            // The last Sunday of March and of October, at 01:00 UTC.
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2030-03-31T00:59:59Z", 3600),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2030-03-31T01:00:00Z", 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2030-10-27T00:59:59Z", 7200),
            ("CET-1CEST,M3.5.0,M10.5.0/3", "2030-10-27T01:00:00Z", 3600),
            // Summer from the first Sunday of October to the first Sunday of April.
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2031-01-01T00:00:00Z", 39_600),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2031-07-01T00:00:00Z", 36_000),
            ("AEST-10AEDT,M10.1.0,M4.1.0/3", "2031-12-31T23:00:00Z", 39_600),
            ("EST5EDT,M3.2.0,M11.1.0", "2030-07-04T12:00:00Z", -14_400),
            ("EST5EDT,M3.2.0,M11.1.0", "2030-12-25T12:00:00Z", -18_000),
            // Saturday before the last Sunday, at 22:00 local time.
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T00:59:59Z", -7200),
            ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T01:00:00Z", -3600),
            ("IST-2IDT,M3.4.4/26,M10.5.0", "2030-03-29T00:00:00Z", 10_800),
            ("<+0545>-5:45", "2030-01-01T00:00:00Z", 20_700),
            // Day 60 is 1 March with and without a leap day; day 59 counts the leap day.
            ("AAA0BBB,J60/0,J61/0", "2032-03-01T12:00:00Z", 3600),
            ("AAA0BBB,J60/0,J61/0", "2031-03-01T12:00:00Z", 3600),
            ("AAA0BBB,59/0,60/0", "2032-02-29T12:00:00Z", 3600),
            ("AAA0BBB,59/0,60/0", "2031-03-01T12:00:00Z", 3600),
        ] as [(String, String, Int)])
    func recurring(text: String, time: String, offset: Int) throws {
        let seconds = try #require(Timestamp(time)).seconds
        #expect(try #require(RecurringOffsets(text)).offset(at: seconds) == offset)
        let file = Self.file(offsets: [1], transitions: [(0, 0)], footer: text)
        #expect(try #require(TimeZoneRules(file)).offset(at: seconds) == offset)
        #expect(try #require(TimeZoneRules(file)).offset(at: -1) == 1)
    }

    @Test(
        "Text of another form is no rule",
        arguments: [
            "", "C", "CE-1", "CET", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-25",
            "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J5", "CET-1CEST,M3.5.0,M10.5.0x",
            "<CET-1", "CET-1:60",
        ])
    func malformed(text: String) {
        #expect(RecurringOffsets(text) == nil)
    }

    @Test("A file that is cut off anywhere, or damaged, is refused or read, and nothing is read beyond it")
    func damaged() {
        let whole = Self.file(
            offsets: [0, 3600], transitions: [(100, 1), (200, 0)], footer: "CET-1CEST,M3.5.0,M10.5.0/3")
        for count in 0..<whole.count {
            let rules = TimeZoneRules(Array(whole[..<count]))
            // Only the footer may be missing.
            #expect(rules == nil || count >= whole.count - 28, "\(count)")
            _ = rules?.offset(at: 150)
        }
        for index in whole.indices {
            for value in [0x00, 0x7F, 0x80, 0xFF] as [UInt8] {
                var bytes = whole
                bytes[index] = value
                if let rules = TimeZoneRules(bytes) { #expect(abs(rules.offset(at: 150)) < 86_400) }
            }
        }
    }
}
