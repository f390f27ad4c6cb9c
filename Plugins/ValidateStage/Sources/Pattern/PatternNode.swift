/// A parsed pattern.
indirect enum PatternNode: Equatable {
    /// One character of a set.
    case character(PatternCharacters)
    /// The parts one after the other, or nothing if there are none.
    case sequence([PatternNode])
    /// One of the alternatives.
    case choice([PatternNode])
    /// A number of repetitions, without an upper bound if `maximum` is `nil`.
    case repetition(PatternNode, minimum: Int, maximum: Int?)
}

/// A set of characters: any ASCII characters, and either some or all of the others.
struct PatternCharacters: Equatable {
    /// The ASCII characters, one bit each.
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    /// The characters beyond ASCII, unless the set has all of them.
    var wide: Set<Unicode.Scalar> = []
    /// Whether the set has every character beyond ASCII.
    var hasAllWide = false

    /// The empty set.
    init() {}

    /// Creates a set of ASCII ranges.
    init(_ ranges: ClosedRange<UInt8>...) {
        for range in ranges { for byte in range { self.insert(byte) } }
    }

    /// Creates a set of one character.
    init(_ scalar: Unicode.Scalar) {
        self.insert(scalar)
    }

    /// The set of `.`: every character except line feed.
    static let any: PatternCharacters = {
        var all = PatternCharacters(UInt8(ascii: "\n")...UInt8(ascii: "\n"))
        all.invert()
        return all
    }()
    /// `\d`
    static let digits = PatternCharacters(0x30...0x39)
    /// `\w`
    static let word = PatternCharacters(0x30...0x39, 0x41...0x5A, 0x5F...0x5F, 0x61...0x7A)
    /// `\s`
    static let space = PatternCharacters(0x09...0x0D, 0x20...0x20)

    /// Returns whether the set has an ASCII character.
    func contains(_ byte: UInt8) -> Bool {
        byte < 64 ? self.low >> UInt64(byte) & 1 == 1 : byte < 128 && self.high >> UInt64(byte - 64) & 1 == 1
    }

    /// Adds a character.
    mutating func insert(_ scalar: Unicode.Scalar) {
        if scalar.isASCII { self.insert(UInt8(scalar.value)) } else { self.wide.insert(scalar) }
    }

    /// Adds the characters of another set.
    mutating func formUnion(_ other: PatternCharacters) {
        self.low |= other.low
        self.high |= other.high
        self.wide.formUnion(other.wide)
        self.hasAllWide = self.hasAllWide || other.hasAllWide
    }

    /// Inverts the set. Only for sets with none or all of the characters beyond ASCII.
    mutating func invert() {
        self.low = ~self.low
        self.high = ~self.high
        self.hasAllWide.toggle()
    }

    private mutating func insert(_ byte: UInt8) {
        if byte < 64 { self.low |= 1 << UInt64(byte) } else { self.high |= 1 << UInt64(byte - 64) }
    }
}

/// An error in a pattern.
struct PatternProblem: Error, Equatable {
    /// The character at which the error begins, starting at 1, or `nil` if it concerns the whole pattern.
    var position: Int?
    /// The problem and its remedy.
    var message: String
}
