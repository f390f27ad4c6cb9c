/// What a setting may hold, as data: documentation, JSON Schema and lint are all made from it.
public indirect enum SettingShape: Sendable, Equatable {
    /// Text.
    case text
    /// Text that is not blank.
    case nonBlankText
    /// A secret: text that is never shown.
    case secret
    /// A whole number in a range.
    case integer(ClosedRange<Int>)
    /// `true` or `false`.
    case boolean
    /// A time with its unit (`250ms`, `5s`, `2m`, `1h`), at least the minimum.
    case duration(minimum: Duration = .zero)
    /// A size with its unit (`64KiB`, `1MiB`), in a range of bytes.
    case byteSize(ClosedRange<Int>)
    /// One of these words.
    case choice([String])
    /// A list of these, at least `minimum`; or one alone where `orSingle`.
    case list(SettingShape, orSingle: Bool, minimum: Int = 0)
    /// Free names, each with one of these, at least `minimum`; some names may have a meaning of their own `beside` them.
    case map(SettingShape, minimum: Int = 0, beside: [SettingDescription] = [])
    /// Known names.
    case object([SettingDescription])
    /// Exactly one of some known names with what belongs to it, and any of the names that may stand `beside` it.
    case oneName([SettingDescription], beside: [SettingDescription] = [])
    /// A shape that stands elsewhere under this name, so that shapes can contain themselves.
    case reference(String)
    /// Text with a form of its own, told in words and, where that can be said, as a regular expression (ECMA-262).
    case form(String, pattern: String? = nil)
    /// The first of these that fits.
    case either([SettingShape])
    /// This, or nothing.
    case nullable(SettingShape)
}

/// One known name of an object: what documentation and JSON Schema tell of it.
public struct SettingDescription: Sendable, Equatable {
    /// The name in the file.
    public var name: String
    /// What it may hold.
    public var shape: SettingShape
    /// Whether it must be there.
    public var isRequired: Bool
    /// The default as it would stand in the file, nil where there is none.
    public var defaultText: String?
    /// What it does, one or two sentences.
    public var summary: String

    /// Makes a description.
    public init(
        name: String, shape: SettingShape, isRequired: Bool = false, defaultText: String? = nil, summary: String
    ) {
        self.name = name
        self.shape = shape
        self.isRequired = isRequired
        self.defaultText = defaultText
        self.summary = summary
    }
}
