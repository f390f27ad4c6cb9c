/// A whole number of 64 bits in decimal digits.
public enum DecimalInteger {
    /// Why bytes are not such a number.
    @frozen
    public enum Mistake: Error {
        /// There is something other than an optional sign and digits.
        case notANumber
        /// The digits say a number beyond 64 bits.
        case outOfRange
    }

    /// Reads an optional sign and at least one digit, leading zeros included; nothing else may stand around them.
    ///
    /// Digits are read from the left: what goes beyond 64 bits before a character that is no digit is out of range.
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
