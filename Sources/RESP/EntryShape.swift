/// Where the names of a reply's first entries stand: those of one stream mostly have the same names in the same order, some
/// with more of them than others, so that a scanner goes through later ones from value to value.
///
/// It knows places, not bytes: whoever asks shows it the bytes that it was made of, more of them meanwhile.
struct EntryShape: Sendable {
    /// The most names that are known; those behind are gone through one by one.
    static let nameLimit = 16
    /// How long a name may be, with the header before it and the first byte behind it: compared in two words or four.
    private static let lengths = 8...32

    /// A name with its header and the first byte of the value's header behind it; no bytes where it is not compared.
    struct Name: BitwiseCopyable {
        fileprivate var start: UInt32 = 0
        fileprivate var length: UInt32 = 0
    }

    /// The names in their order; those that are not known have no bytes.
    private(set) var names = InlineArray<16, Name>(repeating: Name())
    /// How many positions there are in `names`.
    private(set) var count = 0

    /// Knows no names.
    init() {}

    /// Takes in where the next name stands, with the header before it and the first byte behind it.
    mutating func append(_ range: Range<Int>) {
        guard self.count < Self.nameLimit else { return }
        let isCompared = Self.lengths.contains(range.count) && range.upperBound <= UInt32.max
        self.names[self.count] =
            isCompared ? Name(start: UInt32(range.lowerBound), length: UInt32(range.count)) : Name()
        self.count += 1
    }
}

extension EntryShape.Name {
    /// Where the header of the value begins, if this name stands at a position; nil where that is not known.
    @inline(__always)
    func value(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> Int? {
        let (start, length) = (Int(self.start), Int(self.length))
        guard length > 0, position &+ length <= bytes.count else { return nil }
        var difference = unsafe Self.difference(bytes, start, position)
        difference |= unsafe Self.difference(bytes, start &+ length &- 8, position &+ length &- 8)
        if length > 16 {
            difference |= unsafe Self.difference(bytes, start &+ 8, position &+ 8)
            difference |= unsafe Self.difference(bytes, start &+ length &- 16, position &+ length &- 16)
        }
        return difference == 0 ? position &+ length &- 1 : nil
    }

    /// What differs between the words at two places.
    @inline(__always)
    private static func difference(_ bytes: UnsafeRawBufferPointer, _ one: Int, _ other: Int) -> UInt64 {
        unsafe bytes.loadUnaligned(fromByteOffset: one, as: UInt64.self)
            ^ bytes.loadUnaligned(fromByteOffset: other, as: UInt64.self)
    }
}
