import Testing

@testable import RedisStreams

@Suite struct ScanCursorTests {
    @Test(
        "The part of a scan before a cursor is that of its reversed bits",
        arguments: [
            ("0", 0), ("1", 0.5), ("2", 0.25), ("3", 0.75), ("7", 0.875), ("9223372036854775808", 0x1p-64),
            ("", nil), ("-1", nil), ("x", nil), ("18446744073709551616", nil),
        ] as [(String, Double?)])
    func fraction(cursor: String, expected: Double?) {
        #expect(ScanCursor.fraction(before: Array(cursor.utf8)) == expected)
    }

    /// The next cursor as Redis computes it (dictScan): the bits of the bucket's number are counted from the highest.
    private func next(_ cursor: UInt64, buckets: UInt64) -> UInt64 {
        Self.reversed(Self.reversed(cursor | ~(buckets - 1)) &+ 1)
    }

    private static func reversed(_ number: UInt64) -> UInt64 {
        (0..<64).reduce(0) { $0 | (number >> UInt64($1) & 1) << UInt64(63 - $1) }
    }

    @Test("Estimates increase evenly through a scan, also if the table grows meanwhile", arguments: [false, true])
    func scan(grows: Bool) throws {
        var (cursor, buckets, visited): (UInt64, UInt64, Double) = (0, 1 << 8, 0)
        repeat {
            let fraction = try #require(ScanCursor.fraction(before: Array(String(cursor).utf8)))
            #expect(fraction == visited)
            if grows, visited == 0.5 { buckets = 1 << 12 }
            visited += 1 / Double(buckets)
            cursor = self.next(cursor, buckets: buckets)
        } while cursor != 0
        #expect(visited == 1)
    }
}
