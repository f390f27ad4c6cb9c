import CEL
import JSON

/// The type of a field's values. It decides how text is read, how values appear in JSON, and how expressions that use
/// the field are checked.
public enum FieldType: Sendable, Hashable {
    /// Text.
    case text
    /// Bytes that are not meant to be text.
    case bytes
    /// Whole numbers of 64 bits (`event.set(_:integer:range:)`).
    case integer
    /// Whole numbers of 64 bits without a sign.
    case unsigned
    /// Finite numbers.
    case double
    /// Truth values.
    case bool
    /// Times.
    case timestamp(TimeForm)
    /// Lengths of time.
    case duration(TimeForm)
    /// JSON values.
    case json
    /// Values of several types, or of a type that is not known before there is an event.
    case unknown
}

/// The form in which times and lengths of time are written.
public enum TimeForm: String, Sendable, CaseIterable {
    /// Times as RFC 3339, lengths of time as numbers with units: `1h30m`, `250ms`.
    case text = "rfc3339"
    /// Seconds; times since 1970-01-01T00:00:00Z.
    case seconds = "s"
    /// Milliseconds.
    case milliseconds = "ms"
    /// Microseconds.
    case microseconds = "us"
    /// Nanoseconds.
    case nanoseconds = "ns"

    /// The number of units in a second.
    var perSecond: Int64 {
        switch self {
        case .text, .seconds: 1
        case .milliseconds: 1000
        case .microseconds: 1_000_000
        case .nanoseconds: 1_000_000_000
        }
    }

    /// The unit in messages.
    fileprivate var unit: String {
        switch self {
        case .text, .seconds: "seconds"
        case .milliseconds: "milliseconds"
        case .microseconds: "microseconds"
        case .nanoseconds: "nanoseconds"
        }
    }
}

/// The reason why text is not a value of a type.
public struct ValueMistake: Error, Sendable, Equatable {
    /// The reason. It follows the quoted text, as in `"high" is not a number`, if `quotesText` is set.
    public var message: String
    /// Whether the text belongs in front of the message.
    public var quotesText: Bool
}

extension FieldType {
    /// The maximum length of a number or a time in bytes. Longer text is not such a value, so that one value cannot take
    /// long to read.
    public static let textLimit = 1024

    /// Reads a value of the types that `TypedValue` holds; white space around it is ignored.
    ///
    /// - Returns: The value, or `nil` if values of the type are no typed values: text and int64.
    /// - Throws: The reason if the text is not a value of the type.
    public func read(_ bytes: Span<UInt8>) throws(ValueMistake) -> TypedValue? {
        let digits = bytes.extracting(Blank.trimmed(bytes))
        switch self {
        case .text, .integer, .unknown: return nil
        case .bytes: return .bytes
        case .json: return try Self.json(bytes)
        case .unsigned: return .unsigned(try Self.unsigned(digits))
        case .double: return .double(try Self.double(digits))
        case .bool: return .bool(try Self.bool(digits))
        case .timestamp(let form): return try Self.timestamp(digits, form)
        case .duration(let form): return try Self.duration(digits, form)
        }
    }

    /// Returns text of at most `textLimit` bytes.
    private static func text(_ bytes: Span<UInt8>) -> String? {
        guard bytes.count <= Self.textLimit else { return nil }
        return unsafe bytes.withUnsafeBufferPointer { unsafe String(validating: $0, as: UTF8.self) }
    }

    private static func refuse(_ message: String) -> ValueMistake {
        ValueMistake(message: message, quotesText: true)
    }

    private static func json(_ bytes: Span<UInt8>) throws(ValueMistake) -> TypedValue {
        do throws(JSONProblem) {
            _ = try JSONScanner.document(bytes)
            return .json
        } catch {
            throw ValueMistake(
                message: "invalid JSON at byte \(error.offset): \(error.message)", quotesText: false)
        }
    }

    private static func unsigned(_ digits: Span<UInt8>) throws(ValueMistake) -> UInt64 {
        var number: UInt64 = 0
        let start = digits.count > 1 && digits[0] == UInt8(ascii: "+") ? 1 : 0
        guard start < digits.count else { throw Self.refuse("is not an unsigned whole number") }
        for index in start..<digits.count {
            let digit = digits[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { throw Self.refuse("is not an unsigned whole number") }
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { throw Self.refuse("is out of range for an unsigned 64-bit number") }
            number = sum
        }
        return number
    }

    private static func double(_ digits: Span<UInt8>) throws(ValueMistake) -> Double {
        guard Self.isDecimal(digits) else { throw Self.refuse("is not a number") }
        if let number = ShortDecimal.double(digits) { return number }
        guard let text = Self.text(digits), let number = Double(text) else { throw Self.refuse("is not a number") }
        guard number.isFinite else { throw Self.refuse("is out of range for a double") }
        return number
    }

    private static func bool(_ digits: Span<UInt8>) throws(ValueMistake) -> Bool {
        // As in the conversion `bool(text)` of expressions.
        switch Self.text(digits) {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw Self.refuse("is not true or false")
        }
    }

    private static func timestamp(_ digits: Span<UInt8>, _ form: TimeForm) throws(ValueMistake) -> TypedValue {
        if form == .text {
            guard let text = Self.text(digits), let time = Timestamp(text) else {
                throw Self.refuse("is not an RFC 3339 time such as 2026-11-30T12:00:00Z")
            }
            return .timestamp(seconds: time.seconds, nanoseconds: time.nanoseconds)
        }
        let (seconds, nanoseconds) = try Self.time(digits, form)
        guard let time = Timestamp(unixSeconds: seconds, nanoseconds: nanoseconds) else {
            throw Self.refuse("is out of range for a time: the years are 1 to 9999")
        }
        return .timestamp(seconds: time.seconds, nanoseconds: time.nanoseconds)
    }

    private static func duration(_ digits: Span<UInt8>, _ form: TimeForm) throws(ValueMistake) -> TypedValue {
        if form == .text {
            guard let text = Self.text(digits), let duration = CEL.Duration(text) else {
                throw Self.refuse("is not a duration such as 1h30m or 250ms")
            }
            return .duration(seconds: duration.seconds, nanoseconds: duration.nanoseconds)
        }
        let (seconds, nanoseconds) = try Self.time(digits, form)
        guard let duration = CEL.Duration(wholeSeconds: seconds, nanoseconds: Int64(nanoseconds)) else {
            throw Self.refuse("is out of range for a duration: the maximum is 292 years")
        }
        return .duration(seconds: duration.seconds, nanoseconds: duration.nanoseconds)
    }

    /// Reads a number of units, with an optional sign and fraction, as seconds rounded down and nanoseconds. Digits
    /// beyond nanoseconds are dropped.
    private static func time(
        _ digits: Span<UInt8>, _ form: TimeForm
    ) throws(ValueMistake) -> (seconds: Int64, nanoseconds: Int32) {
        let mistake = Self.refuse("is not a number of \(form.unit)")
        var end = 0
        while end < digits.count, digits[end] != UInt8(ascii: ".") { end += 1 }
        let isNegative = end > 0 && digits[0] == UInt8(ascii: "-")
        let whole: Int64
        do throws(DecimalInteger.Mistake) {
            whole = try DecimalInteger.parse(digits.extracting(first: end))
        } catch {
            throw error == .outOfRange ? Self.refuse("is out of range for a 64-bit number") : mistake
        }
        // The part below one second is positive or zero until the sign is applied.
        let unit = 1_000_000_000 / form.perSecond
        var fraction: Int64 = 0
        if end < digits.count {
            guard end + 1 < digits.count else { throw mistake }
            var scale = unit
            for index in (end + 1)..<digits.count {
                let digit = digits[index] &- UInt8(ascii: "0")
                guard digit <= 9 else { throw mistake }
                scale /= 10
                fraction += Int64(digit) * scale
            }
        }
        var seconds = whole / form.perSecond
        var nanoseconds = whole % form.perSecond * unit + (isNegative ? -fraction : fraction)
        if nanoseconds < 0 {
            seconds -= 1
            nanoseconds += 1_000_000_000
        }
        return (seconds, Int32(nanoseconds))
    }

    /// Whether the text is an optional sign, digits with an optional decimal point, and an optional exponent. `Double`
    /// itself also reads `nan`, `inf` and hexadecimal numbers.
    private static func isDecimal(_ text: Span<UInt8>) -> Bool {
        var index = Self.afterSign(text, 0)
        var end = Self.afterDigits(text, index)
        var count = end - index
        if end < text.count, text[end] == UInt8(ascii: ".") {
            index = end + 1
            end = Self.afterDigits(text, index)
            count += end - index
        }
        guard count > 0 else { return false }
        if end < text.count, text[end] | 0x20 == UInt8(ascii: "e") {
            index = Self.afterSign(text, end + 1)
            end = Self.afterDigits(text, index)
            guard end > index else { return false }
        }
        return end == text.count
    }

    private static func afterSign(_ text: Span<UInt8>, _ index: Int) -> Int {
        guard index < text.count, text[index] == UInt8(ascii: "+") || text[index] == UInt8(ascii: "-") else {
            return index
        }
        return index + 1
    }

    private static func afterDigits(_ text: Span<UInt8>, _ index: Int) -> Int {
        var end = index
        while end < text.count, text[end] &- UInt8(ascii: "0") <= 9 { end += 1 }
        return end
    }
}
