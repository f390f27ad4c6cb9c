/// What a setting may hold, as data: documentation, JSON Schema and lint are all made from it.
public indirect enum SettingShape: Sendable {
    /// Text.
    case text
    /// A secret: text that is never shown.
    case secret
    /// A whole number in a range.
    case integer(ClosedRange<Int>)
    /// `true` or `false`.
    case boolean
    /// A time with its unit: `250ms`, `5s`, `2m`, `1h`.
    case duration
    /// A size with its unit: `64KiB`, `1MiB`.
    case byteSize
    /// One of these words.
    case choice([String])
    /// A list of these, or one alone where `orSingle`.
    case list(SettingShape, orSingle: Bool)
    /// Free names, each with one of these.
    case map(SettingShape)
    /// Known names.
    case object([SettingDescription])
    /// Text with a form of its own, told in words.
    case form(String)
}

/// One known name of an object: what documentation and JSON Schema tell of it.
public struct SettingDescription: Sendable {
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
}
