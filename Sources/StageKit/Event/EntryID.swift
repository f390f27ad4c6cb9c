/// The id of a stream entry: milliseconds and a sequence number, ordered as Redis orders them.
///
/// Source: Redis Streams, "Entry IDs" (`<milliseconds>-<sequence>`, both unsigned 64-bit decimals).
@frozen
public struct EntryID: Hashable, Comparable, Sendable {
    /// Milliseconds since the epoch by the server's clock when the id was made by the server.
    public var milliseconds: UInt64
    /// Tells entries of one millisecond apart.
    public var sequence: UInt64

    /// Makes an id of its two parts.
    @inlinable
    public init(milliseconds: UInt64, sequence: UInt64) {
        self.milliseconds = milliseconds
        self.sequence = sequence
    }

    /// `0-0`: before every entry a stream can hold.
    public static let zero = EntryID(milliseconds: 0, sequence: 0)

    /// The greatest id there is.
    public static let max = EntryID(milliseconds: .max, sequence: .max)

    /// Orders by milliseconds, then by sequence.
    @inlinable
    public static func < (left: EntryID, right: EntryID) -> Bool {
        left.milliseconds != right.milliseconds
            ? left.milliseconds < right.milliseconds : left.sequence < right.sequence
    }
}

extension EntryID: CustomStringConvertible {
    /// The form Redis writes: `1700000000000-0`.
    public var description: String { "\(self.milliseconds)-\(self.sequence)" }

    /// Reads `ms-seq`, or `ms` alone as `ms-0`; nil for anything else, also for numbers above 64 bits.
    public init?(_ text: String) {
        var text = text
        let parsed = text.withUTF8 { unsafe EntryID(utf8: $0.span) }
        guard let parsed else { return nil }
        self = parsed
    }

    /// Reads `ms-seq` or `ms` from bytes; nil for anything else.
    @inlinable
    public init?(utf8 bytes: Span<UInt8>) {
        var index = 0
        guard let milliseconds = EntryID.number(bytes, &index) else { return nil }
        if index == bytes.count {
            self.init(milliseconds: milliseconds, sequence: 0)
            return
        }
        guard bytes[index] == UInt8(ascii: "-") else { return nil }
        index += 1
        guard let sequence = EntryID.number(bytes, &index), index == bytes.count else { return nil }
        self.init(milliseconds: milliseconds, sequence: sequence)
    }

    /// Any number of so many digits fits 64 bits, so that adding them up needs no check.
    @usableFromInline static let uncheckedDigits = 18

    /// Reads digits from `index` on, which moves behind them; nil where there is none, or the number is above 64 bits.
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
}
