/// Parses a 64-bit integer in decimal notation.
public enum DecimalInteger {
    /// The reason why bytes are not such a number.
    @frozen
    public enum Mistake: Error {
        /// There is something other than an optional sign and digits.
        case notANumber
        /// The number does not fit 64 bits.
        case outOfRange
    }

    /// Parses an optional sign followed by at least one digit; leading zeros are allowed, and nothing else.
    ///
    /// Digits are read from the left: a number that exceeds 64 bits before a character that is not a digit is out of
    /// range.
    @inlinable
    public static func parse(_ bytes: Span<UInt8>) throws(Mistake) -> Int64 {
        var index = 0
        var isNegative = false
        if let sign = bytes.isEmpty ? nil : bytes[0], sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            index = 1
        }
        guard index < bytes.count else { throw .notANumber }
        var magnitude: UInt64 = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw .notANumber }
            let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { throw .outOfRange }
            magnitude = sum
            index += 1
        }
        if isNegative {
            guard magnitude <= Int64.min.magnitude else { throw .outOfRange }
            return Int64(truncatingIfNeeded: 0 &- magnitude)
        }
        guard magnitude <= Int64.max.magnitude else { throw .outOfRange }
        return Int64(magnitude)
    }
}
