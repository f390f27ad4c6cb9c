/// A parsed pattern.
indirect enum PatternNode: Equatable {
    /// One character of a set.
    case character(PatternCharacters)
    /// These, one behind the other; nothing where there is none.
    case sequence([PatternNode])
    /// One of these.
    case choice([PatternNode])
    /// As many in a row; without an upper bound where it is nil.
    case repetition(PatternNode, minimum: Int, maximum: Int?)
}

/// A set of characters: any of ASCII, and of the others either some or all.
struct PatternCharacters: Equatable {
    /// The ASCII characters, one bit each.
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    /// The characters beyond ASCII, where not all of them are meant.
    var wide: Set<Unicode.Scalar> = []
    /// Whether every character beyond ASCII is meant.
    var hasAllWide = false

    /// The empty set.
    init() {}

    /// These ranges of ASCII.
    init(_ ranges: ClosedRange<UInt8>...) {
        for range in ranges { for byte in range { self.insert(byte) } }
    }

    /// One character.
    init(_ scalar: Unicode.Scalar) {
        self.insert(scalar)
    }

    /// What `.` means: every character but the end of a line.
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

    /// Whether an ASCII character is in it.
    func contains(_ byte: UInt8) -> Bool {
        byte < 64 ? self.low >> UInt64(byte) & 1 == 1 : byte < 128 && self.high >> UInt64(byte - 64) & 1 == 1
    }

    /// Adds a character.
    mutating func insert(_ scalar: Unicode.Scalar) {
        if scalar.isASCII { self.insert(UInt8(scalar.value)) } else { self.wide.insert(scalar) }
    }

    /// Adds those of another set.
    mutating func formUnion(_ other: PatternCharacters) {
        self.low |= other.low
        self.high |= other.high
        self.wide.formUnion(other.wide)
        self.hasAllWide = self.hasAllWide || other.hasAllWide
    }

    /// Becomes all that it was not; only for sets without some of the characters beyond ASCII.
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
    /// The character it begins at, the first is 1; nil where it is the whole.
    var position: Int?
    /// What is wrong and what to write.
    var message: String
}
