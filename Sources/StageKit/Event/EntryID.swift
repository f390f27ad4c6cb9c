/// The id of a stream entry: milliseconds and a sequence number, ordered as Redis orders them.
///
/// Source: Redis Streams, "Entry IDs" (`<milliseconds>-<sequence>`, both unsigned 64-bit decimals).
@frozen
public struct EntryID: Hashable, Comparable, Sendable {
    /// The milliseconds since the epoch by the server's clock, if the server generated the id.
    public var milliseconds: UInt64
    /// The sequence number that distinguishes entries of the same millisecond.
    public var sequence: UInt64

    /// Creates an id from its two parts.
    @inlinable
    public init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// `0-0`: before every entry that a stream can contain.
    public static let zero = EntryID(milliseconds: 0, sequence: 0)

    /// The greatest possible id.
    public static let max = EntryID(milliseconds: .max, sequence: .max)

    /// Orders by milliseconds, then by sequence.
    @inlinable
    public static func < (left: EntryID, right: EntryID) -> Bool {
        left.milliseconds != right.milliseconds
            ? left.milliseconds < right.milliseconds : left.sequence < right.sequence
    }
}

extension EntryID: CustomStringConvertible {
    /// The id in the form that Redis uses: `1700000000000-0`.
    public var description: String { "\(self.milliseconds)-\(self.sequence)" }

    /// Parses `ms-seq`, or `ms` alone as `ms-0`. Returns `nil` for anything else, including numbers above 64 bits.
    public init?(_ text: String) {
        var text = text
        let parsed = text.withUTF8 { unsafe EntryID(utf8: $0.span) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Parses `ms-seq` or `ms` from bytes. Returns `nil` for anything else.
    @inlinable
    public init?(utf8 bytes: Span<UInt8>) {
        var index = 0
        guard let milliseconds = EntryID.thirteenDigits(bytes, &index) ?? EntryID.number(bytes, &index) else {
            return nil
        }
        if index == bytes.count {
            self.init(milliseconds: milliseconds, sequence: 0)
            return
        }
        guard bytes[index] == UInt8(ascii: "-") else { return nil }
        index += 1
        guard let sequence = EntryID.number(bytes, &index), index == bytes.count else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    /// Parses `ms-seq` or `ms` from the bytes of an id that usually follows another id in a stream, whose bytes and
    /// value are known. If both have the same millisecond, its digits are not parsed again.
    @inlinable
    @inline(__always)
    package init?(utf8 bytes: Span<UInt8>, behind known: EntryID, _ text: Span<UInt8>) {
        let (dash, last) = (13, 6)
        // The second word ends with the dash.
        guard bytes.count > dash + 1, text.count > dash + 1, text[dash] == UInt8(ascii: "-"),
            bytes.piece(0, UInt64.self) == text.piece(0, UInt64.self),
            bytes.piece(last, UInt64.self) == text.piece(last, UInt64.self)
        else {
            self.init(utf8: bytes)
            return
        }
        var index = dash + 1
        guard let sequence = EntryID.number(bytes, &index), index == bytes.count else { return nil }
        self.init(milliseconds: known.milliseconds, sequence: sequence)
    }

    /// Parses the thirteen digits of the milliseconds before a dash and advances `index` past them. Returns `nil` and
    /// changes nothing if there is something else.
    @inlinable
    @inline(__always)
    static func thirteenDigits(_ bytes: Span<UInt8>, _ index: inout Int) -> UInt64? {
        guard bytes.count > 13, bytes[13] == UInt8(ascii: "-") else { return nil }
        let (first, last) = unsafe (
            bytes.bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self),
            bytes.bytes.unsafeLoadUnaligned(fromByteOffset: 5, as: UInt64.self)
        )
        // The last three of the first eight digits are the first three of the other eight.
        guard let high = EntryID.eightDigits(UInt64(littleEndian: first)),
            let low = EntryID.eightDigits(UInt64(littleEndian: last))
        else { return nil }
        index = 13
        return high / 1000 &* 100_000_000 &+ low
    }

    /// Any number with this many digits fits 64 bits, so adding the digits needs no overflow check.
    @usableFromInline static let uncheckedDigits = 18

    /// Parses digits from `index` on and advances `index` past them. Returns `nil` if there are none or the number
    /// exceeds 64 bits.
    @inlinable
    @inline(__always)
    static func number(_ bytes: Span<UInt8>, _ index: inout Int) -> UInt64? {
        let start = index
        var value: UInt64 = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            if index - start < EntryID.uncheckedDigits {
                value = value &* 10 &+ UInt64(digit)
            } else {
                let (product, overflow) = value.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
                guard !overflow, !carry else { return nil }
                value = sum
            }
            index += 1
        }
        return index > start ? value : nil
    }

    /// Returns the number of eight digits, the first in the lowest byte, or `nil` if they are not all digits.
    ///
    /// Source: Lemire and Muła, "Quickly parsing eight digits" (2018, 2022): adjacent digits are combined into pairs,
    /// then fours, then eight.
    @inlinable
    @inline(__always)
    static func eightDigits(_ word: UInt64) -> UInt64? {
        let highs: UInt64 = 0xF0F0_F0F0_F0F0_F0F0
        let zeros: UInt64 = 0x3030_3030_3030_3030
        // The upper half of a digit's byte is 3, and still is after adding 6.
        guard word & highs == zeros, (word &+ 0x0606_0606_0606_0606) & highs == zeros else { return nil }
        let pairs = ((word & 0x0F0F_0F0F_0F0F_0F0F) &* 2561) &>> 8
        let fours = ((pairs & 0x00FF_00FF_00FF_00FF) &* 6_553_601) &>> 16
        return ((fours & 0x0000_FFFF_0000_FFFF) &* 42_949_672_960_001) &>> 32
    }
}
