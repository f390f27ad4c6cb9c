/// A set of code points.
struct ScalarSet: Sendable {
    /// A Unicode general category by its abbreviation: `L`, `Lu`.
    struct Category: Sendable {
        var name: String
        var isNegated: Bool
    }

    /// The ranges.
    var ranges: [ClosedRange<UInt32>] = []
    /// The categories.
    var categories: [Category] = []
    /// The sets that are part of this one.
    var sets: [ScalarSet] = []
    /// Whether the set contains all code points but those.
    var isNegated = false
    /// Whether the set contains a code point if it contains its upper or lower case form.
    var ignoresCase = false

    /// Creates a set of ranges.
    init(_ ranges: [ClosedRange<UInt32>] = [], isNegated: Bool = false) {
        self.ranges = ranges
        self.isNegated = isNegated
    }

    static let digits = ScalarSet([0x30...0x39])
    static let spaces = ScalarSet([0x09...0x0A, 0x0C...0x0D, 0x20...0x20])
    static let word = ScalarSet([0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A])
    static let any = ScalarSet([0...0x10FFFF])
    static let anyButNewline = ScalarSet([0x0A...0x0A], isNegated: true)

    /// The classes of POSIX by name: `[[:alpha:]]`.
    static let posix: [String: ScalarSet] = [
        "alnum": ScalarSet([0x30...0x39, 0x41...0x5A, 0x61...0x7A]), "alpha": ScalarSet([0x41...0x5A, 0x61...0x7A]),
        "ascii": ScalarSet([0...0x7F]), "blank": ScalarSet([0x09...0x09, 0x20...0x20]),
        "cntrl": ScalarSet([0...0x1F, 0x7F...0x7F]), "digit": Self.digits, "graph": ScalarSet([0x21...0x7E]),
        "lower": ScalarSet([0x61...0x7A]), "print": ScalarSet([0x20...0x7E]),
        "punct": ScalarSet([0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E]),
        "space": ScalarSet([0x09...0x0D, 0x20...0x20]), "upper": ScalarSet([0x41...0x5A]), "word": Self.word,
        "xdigit": ScalarSet([0x30...0x39, 0x41...0x46, 0x61...0x66]),
    ]

    /// The opposite set.
    var negated: ScalarSet {
        var copy = self
        copy.isNegated.toggle()
        return copy
    }

    /// Returns whether the set contains a code point.
    func contains(_ scalar: Unicode.Scalar) -> Bool {
        if self.holds(scalar) { return !self.isNegated }
        guard self.ignoresCase else { return self.isNegated }
        for other in Self.otherCases(scalar) where self.holds(other) { return !self.isNegated }
        return self.isNegated
    }

    private func holds(_ scalar: Unicode.Scalar) -> Bool {
        for range in self.ranges where range.contains(scalar.value) { return true }
        for set in self.sets where set.contains(scalar) { return true }
        for category in self.categories
        where Self.abbreviation(scalar).hasPrefix(category.name) != category.isNegated {
            return true
        }
        return false
    }

    private static func otherCases(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
        if scalar.isASCII {
            let value = scalar.value | 0x20
            return value >= 0x61 && value <= 0x7A ? [Unicode.Scalar(UInt8(scalar.value ^ 0x20))] : []
        }
        let mappings = [scalar.properties.lowercaseMapping, scalar.properties.uppercaseMapping]
        return mappings.compactMap { $0.unicodeScalars.count == 1 ? $0.unicodeScalars.first : nil }
    }

    /// The abbreviation of a code point's general category.
    private static func abbreviation(_ scalar: Unicode.Scalar) -> String {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter: "Lu"
        case .lowercaseLetter: "Ll"
        case .titlecaseLetter: "Lt"
        case .modifierLetter: "Lm"
        case .otherLetter: "Lo"
        case .nonspacingMark: "Mn"
        case .spacingMark: "Mc"
        case .enclosingMark: "Me"
        case .decimalNumber: "Nd"
        case .letterNumber: "Nl"
        case .otherNumber: "No"
        case .connectorPunctuation: "Pc"
        case .dashPunctuation: "Pd"
        case .openPunctuation: "Ps"
        case .closePunctuation: "Pe"
        case .initialPunctuation: "Pi"
        case .finalPunctuation: "Pf"
        case .otherPunctuation: "Po"
        case .mathSymbol: "Sm"
        case .currencySymbol: "Sc"
        case .modifierSymbol: "Sk"
        case .otherSymbol: "So"
        case .spaceSeparator: "Zs"
        case .lineSeparator: "Zl"
        case .paragraphSeparator: "Zp"
        case .control: "Cc"
        case .format: "Cf"
        case .surrogate: "Cs"
        case .privateUse: "Co"
        case .unassigned: "Cn"
        @unknown default: "Cn"
        }
    }

    /// The abbreviations of general categories and of their groups.
    static let categoryNames: Set<String> = [
        "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe",
        "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co",
    ]
}
