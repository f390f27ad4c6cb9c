import CEL
import JSON
import TextSupport

/// The value of a field whose type is neither text nor int64. The text from which it was read stays the field's bytes.
///
/// A batch keeps these values beside the table of fields, so that fields of the two usual types cost nothing more.
public enum TypedValue: Sendable, Hashable, BitwiseCopyable {
    /// Bytes that are not meant to be text.
    case bytes
    /// A whole number of 64 bits without a sign.
    case unsigned(UInt64)
    /// A number with a fraction; only an expression results in one that is not finite.
    case double(Double)
    /// A truth value.
    case bool(Bool)
    /// A time: seconds since 1970-01-01T00:00:00Z, and nanoseconds from 0 to 999,999,999 after them. Years 1 to 9999.
    case timestamp(seconds: Int64, nanoseconds: Int32)
    /// A length of time: seconds, rounded down, and nanoseconds from 0 to 999,999,999. At most 292 years.
    case duration(seconds: Int64, nanoseconds: Int32)
    /// A JSON value; the field's bytes are valid JSON, nested at most as deeply as `JSONText.depthLimit`.
    case json

    /// The value as a number for metrics: times and durations in seconds, `true` as 1; `nil` for bytes and JSON.
    public var number: Double? {
        switch self {
        case .bytes, .json: nil
        case .unsigned(let number): Double(number)
        case .double(let number): number
        case .bool(let value): value ? 1 : 0
        case .timestamp(let seconds, let nanoseconds), .duration(let seconds, let nanoseconds):
            Double(seconds) + Double(nanoseconds) / 1e9
        }
    }
}

extension JSONText {
    /// The maximum nesting of objects and lists in a field of the type json.
    public static let depthLimit = JSONScanner.depthLimit

    /// Appends `"name":` and a field's value in the form that its type has in JSON.
    ///
    /// Numbers keep all their digits, and doubles their text if it is a JSON number; those that are not finite are the
    /// strings `"NaN"`, `"Infinity"` and `"-Infinity"`. Times are RFC 3339 in UTC and
    /// durations seconds such as `"1.5s"`, both as strings. A JSON value is written as it is. Bytes are base64 under
    /// `<name>_b64`, as is text that is not UTF-8.
    ///
    /// - Parameters:
    ///   - name: The member's name.
    ///   - value: The field's bytes.
    ///   - integer: The field's number, or `nil` if it has none.
    ///   - typed: The field's typed value, or `nil` if it has none.
    ///   - bytes: The bytes to append to.
    public static func appendMember(
        _ name: String, _ value: [UInt8], integer: Int64?, typed: TypedValue?, to bytes: inout [UInt8]
    ) {
        if typed == .bytes {
            self.append("\(name)_b64", to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            return self.append(Base64.encode(value.span), to: &bytes)
        }
        guard integer != nil || typed != nil else { return self.appendMember(name, value, to: &bytes) }
        self.append(name, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        if let integer {
            bytes += Array("\(integer)".utf8)
        } else if let typed {
            self.append(typed, text: value, to: &bytes)
        }
    }

    /// Returns the JSON form of a typed value; `written` is the field's bytes.
    public static func text(of value: TypedValue, written: [UInt8]) -> String {
        var bytes: [UInt8] = []
        self.append(value, text: written, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Appends a typed value; `text` is the field's bytes.
    private static func append(_ value: TypedValue, text: [UInt8], to bytes: inout [UInt8]) {
        switch value {
        case .bytes: self.append(Base64.encode(text.span), to: &bytes)
        case .unsigned(let number): bytes += Array("\(number)".utf8)
        case .double(let number) where !number.isFinite: self.append(Value.double(number).text, to: &bytes)
        case .double(let number):
            bytes += self.isNumber(text.span) ? text : Array("\(number)".utf8)
        case .bool(let value): bytes += Array("\(value)".utf8)
        case .timestamp(let seconds, let nanoseconds):
            self.append(Timestamp(unixSeconds: seconds, nanoseconds: nanoseconds)?.description ?? "", to: &bytes)
        case .duration(let seconds, let nanoseconds):
            let duration = CEL.Duration(wholeSeconds: seconds, nanoseconds: Int64(nanoseconds))
            self.append(duration?.description ?? "", to: &bytes)
        case .json: JSONString.appendDocument(text.span, to: &bytes)
        }
    }

    /// Returns whether the text is a JSON number, with nothing around it.
    private static func isNumber(_ text: Span<UInt8>) -> Bool {
        guard let value = try? JSONScanner.document(text) else { return false }
        return value.kind == .number && value.range.count == text.count
    }
}
