/// Reads decimal numbers of few digits, which need no search for the nearest double.
package enum ShortDecimal {
    /// The maximum length of a text. A longer one has too many digits, or mostly zeros.
    private static var textLimit: Int { 32 }
    /// The powers of ten that are exact as doubles.
    private static let powers: InlineArray<23, Double> = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// Returns the double nearest to a number, or `nil` if only the general conversion finds it: the number has an
    /// exponent, or too many digits.
    ///
    /// Source: W. D. Clinger, "How to Read Floating Point Numbers Accurately" (1990). Whole numbers up to 2^53 and these
    /// powers of ten are exact, so that the result of one division is rounded once, and thus correctly.
    ///
    /// - Parameter text: A decimal number without blanks: a sign, digits with a point, an exponent.
    package static func double(_ text: Span<UInt8>) -> Double? {
        guard text.count > 0, text.count <= Self.textLimit else { return nil }
        let isNegative = text[0] == UInt8(ascii: "-")
        var index = isNegative || text[0] == UInt8(ascii: "+") ? 1 : 0
        var whole: UInt64 = 0
        var fractionDigits = 0
        var isFraction = false
        while index < text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            if digit <= 9 {
                // One more digit stays below 2^53.
                guard whole < 900_719_925_474_099 else { return nil }
                whole = whole &* 10 &+ UInt64(digit)
                if isFraction { fractionDigits &+= 1 }
            } else if text[index] == UInt8(ascii: ".") {
                isFraction = true
            } else {
                return nil
            }
            index &+= 1
        }
        guard fractionDigits < Self.powers.count else { return nil }
        let number = Double(whole) / Self.powers[fractionDigits]
        return isNegative ? -number : number
    }
}
