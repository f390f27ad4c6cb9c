/// The allowed content of a setting as data, from which documentation, JSON Schema and lint are generated.
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
    /// A duration with its unit (`250ms`, `5s`, `2m`, `1h`), at least the minimum.
    case duration(minimum: Duration = .zero)
    /// A size with its unit (`64KiB`, `1MiB`), in a range of bytes.
    case byteSize(ClosedRange<Int>)
    /// One of these words.
    case choice([String])
    /// A list with at least `minimum` elements; with `orSingle`, also a single element without brackets.
    case list(SettingShape, orSingle: Bool, minimum: Int = 0)
    /// Free names, at least `minimum`, each with a value of this shape. The names in `beside` have a meaning of their
    /// own.
    case map(SettingShape, minimum: Int = 0, beside: [SettingDescription] = [])
    /// Known names.
    case object([SettingDescription])
    /// Exactly one of some known names with its content, and any of the names in `beside`.
    case oneName([SettingDescription], beside: [SettingDescription] = [])
    /// A shape that is defined elsewhere under this name, so that shapes can contain themselves.
    case reference(String)
    /// Text in a particular form, described in words and, if possible, as a regular expression (ECMA-262).
    case form(String, pattern: String? = nil)
    /// The first of these shapes that fits.
    case either([SettingShape])
    /// This shape, or `null`.
    case nullable(SettingShape)

    /// Whether a mapping with known names may fit.
    var allowsObject: Bool {
        switch self {
        case .object: true
        case .either(let shapes): shapes.contains(where: \.allowsObject)
        case .nullable(let shape): shape.allowsObject
        default: false
        }
    }
}

/// The documentation and JSON Schema of one known name of an object.
public struct SettingDescription: Sendable, Equatable {
    /// The name in the file.
    public var name: String
    /// The allowed content.
    public var shape: SettingShape
    /// Whether the setting is required.
    public var isRequired: Bool
    /// The default as written in the file, or `nil` if there is none.
    public var defaultText: String?
    /// The settings of the object, this one included, of which one is required, or `nil` if there are none.
    public var alternatives: SettingAlternatives?
    /// One or two sentences that describe the setting.
    public var summary: String

    /// Creates a description.
    public init(
        name: String, shape: SettingShape, isRequired: Bool = false, defaultText: String? = nil, summary: String,
        alternatives: SettingAlternatives? = nil
    ) {
        self.name = name
        self.shape = shape
        self.isRequired = isRequired
        self.defaultText = defaultText
        self.summary = summary
        self.alternatives = alternatives
    }
}

/// Settings of one object of which one is required.
public struct SettingAlternatives: Sendable, Equatable {
    /// The names in the file.
    public var names: [String]
    /// Whether only one of them may be given.
    public var isExclusive: Bool

    /// Creates alternatives.
    public init(names: [String], isExclusive: Bool) {
        self.names = names
        self.isExclusive = isExclusive
    }

    /// Exactly one of these settings is required.
    public static func exactlyOne(_ names: String...) -> SettingAlternatives {
        SettingAlternatives(names: names, isExclusive: true)
    }

    /// At least one of these settings is required.
    public static func atLeastOne(_ names: String...) -> SettingAlternatives {
        SettingAlternatives(names: names, isExclusive: false)
    }

    /// The requirement in words.
    public var text: String {
        (self.isExclusive ? "one of " : "at least one of ") + self.names.joined(separator: ", ") + " is required"
    }
}
