import StageKit
import Testing

@Suite struct EntryIDTests {
    @Test(
        "An id is read as Redis writes it",
        arguments: [
            ("0-0", 0, 0), ("1-2", 1, 2), ("1700000000000-7", 1_700_000_000_000, 7), ("5", 5, 0), ("007-08", 7, 8),
            ("18446744073709551615-18446744073709551615", UInt64.max, UInt64.max),
            ("999999999999999999-1", 999_999_999_999_999_999, 1), ("12345678-87654321", 12_345_678, 87_654_321),
            ("00000000-123456789", 0, 123_456_789), ("9999999-99999999", 9_999_999, 99_999_999),
            ("9999999999999999-10000000", 9_999_999_999_999_999, 10_000_000),
        ] as [(String, UInt64, UInt64)])
    func reads(text: String, milliseconds: UInt64, sequence: UInt64) {
        #expect(EntryID(text) == EntryID(milliseconds: milliseconds, sequence: sequence))
    }

    @Test(
        "Anything else is not an id",
        arguments: [
            "", "-", "1-", "-1", "1-2-3", "a", "1-a", "+1-0", " 1-0", "1-0 ", "1.0", "18446744073709551616-0",
            "0-18446744073709551616", "99999999999999999999-0", "1--1", "١-0",
            "1234567a-0", "a2345678-0", "1234:678-0", "1-1234567/", "12345678:0",
        ])
    func refuses(text: String) {
        #expect(EntryID(text) == nil)
    }

    @Test("Each of thirteen digits and the dash counts", arguments: 0..<13)
    func thirteenDigits(index: Int) {
        let power = (0..<12 - index).reduce(UInt64(1)) { power, _ in power * 10 }
        var text = Array("0000000000000-3".utf8)
        text[index] = UInt8(ascii: "9")
        #expect(EntryID(utf8: text.span) == EntryID(milliseconds: 9 * power, sequence: 3))
        for other in ["a", "/", ":", "-", " "] {
            text[index] = other.utf8.first ?? 0
            // What has another dash before is an id with a longer sequence, and then another dash.
            #expect(EntryID(utf8: text.span) == nil)
        }
    }

    @Test("An id parsed after another is the same, whatever the other was")
    func behind() throws {
        let texts = [
            "1700000000000-0", "1700000000000-12", "1700000000000-18446744073709551615", "1700000000001-0",
            "1800000000000-0", "1700000000000", "170000000000-10", "17000000000001-1", "5-1", "0-0",
            "1-123456789012345",
            "1700000000000-", "1700000000000-x", "1700000000000-1-", "1700000000000-18446744073709551616", "",
        ].map { Array($0.utf8) }
        for known in texts {
            // Nothing is known where there was no id.
            guard let id = EntryID(utf8: known.span) else { continue }
            for text in texts {
                let read = EntryID(utf8: text.span, behind: id, known.span)
                #expect(read == EntryID(utf8: text.span))
            }
        }
    }

    @Test("Writing and reading give the same id, and order is by milliseconds, then sequence")
    func roundTrip() {
        let ids = [
            EntryID.zero, EntryID(milliseconds: 0, sequence: 1), EntryID(milliseconds: 1, sequence: 0),
            EntryID(milliseconds: 1, sequence: .max), EntryID(milliseconds: 2, sequence: 0), EntryID.max,
        ]
        #expect(ids.map { EntryID($0.description) } == ids)
        #expect(ids.shuffled().sorted() == ids)
    }
}
