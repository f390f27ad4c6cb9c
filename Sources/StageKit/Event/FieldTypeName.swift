/// The name of a field's type in a pipeline file.
public enum FieldTypeName: String, Sendable, CaseIterable {
    /// Text.
    case string
    /// Bytes that are not meant to be text.
    case bytes
    /// A 64-bit integer in decimal notation.
    case int64
    /// A 64-bit integer without a sign in decimal notation.
    case uint64
    /// A finite number in decimal notation.
    case double
    /// `true` or `false`.
    case bool
    /// A time.
    case timestamp
    /// A length of time.
    case duration
    /// A JSON value.
    case json

    /// Returns the type, with the form in which its times are written, or `nil` for the usual form.
    public func type(_ form: TimeForm? = nil) -> FieldType {
        switch self {
        case .string: .text
        case .bytes: .bytes
        case .int64: .integer
        case .uint64: .unsigned
        case .double: .double
        case .bool: .bool
        case .timestamp: .timestamp(form ?? .text)
        case .duration: .duration(form ?? .text)
        case .json: .json
        }
    }

    /// Returns the reason why values of the type cannot have a form, or `nil` if they can.
    public func refusal(of form: TimeForm) -> String? {
        switch self {
        case .timestamp: nil
        case .duration where form == .text:
            "format: a duration is not an RFC 3339 time: use s, ms, us or ns, or no format for text such as 1h30m"
        case .duration: nil
        default: "format requires type: timestamp or duration"
        }
    }
}

extension SettingType where Value == FieldTypeName {
    /// The name of a type.
    public static var fieldTypeName: SettingType<FieldTypeName> {
        .choice(of: FieldTypeName.allCases.map { ($0.rawValue, $0) })
    }
}

extension SettingType where Value == TimeForm {
    /// The form of times.
    public static var timeForm: SettingType<TimeForm> {
        .choice(of: TimeForm.allCases.map { ($0.rawValue, $0) })
    }
}
