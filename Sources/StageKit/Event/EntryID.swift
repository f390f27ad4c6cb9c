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
        var parts: (UInt64, UInt64) = (0, 0)
        var digits = 0
        var inSequence = false
        for index in bytes.indices {
            let byte = bytes[index]
            if byte == UInt8(ascii: "-"), !inSequence, digits > 0 {
                inSequence = true
                digits = 0
                continue
            }
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (product, overflow) = (inSequence ? parts.1 : parts.0).multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte &- UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            if inSequence { parts.1 = sum } else { parts.0 = sum }
            digits += 1
        }
        guard digits > 0 else { return nil }
        self.init(milliseconds: parts.0, sequence: parts.1)
    }
}
