/// The positions of the field names in a reply's first entries.
///
/// Entries of one stream mostly have the same names in the same order, some with additional names at the end. A scanner
/// that knows the names skips later entries from value to value.
///
/// The shape stores offsets, not bytes: the caller passes the same buffer each time, which may have grown meanwhile.
struct EntryShape: Sendable {
    /// The maximum number of names; fields beyond it are scanned one by one.
    static let nameLimit = 16
    /// The supported lengths of a name with its header and the first byte after it, which are compared as two or four
    /// words.
    private static let lengths = 8...32

    /// The range of a name with its header and the first byte of the value's header; empty if the name is not compared.
    struct Name: BitwiseCopyable {
        fileprivate var start: UInt32 = 0
        fileprivate var length: UInt32 = 0
    }

    /// The names by position; unused elements are empty.
    private(set) var names = InlineArray<16, Name>(repeating: Name())
    /// The number of positions in use in `names`.
    private(set) var count = 0

    /// Creates a shape without names.
    init() {}

    /// Appends the range of the next name, including its header and the first byte after it.
    mutating func append(_ range: Range<Int>) {
        guard self.count < Self.nameLimit else { return }
        let isCompared = Self.lengths.contains(range.count) && range.upperBound <= UInt32.max
        self.names[self.count] =
            isCompared ? Name(start: UInt32(range.lowerBound), length: UInt32(range.count)) : Name()
        self.count += 1
    }
}

extension EntryShape.Name {
    /// The offset of the value's header if this name is at `position`, or `nil` if it is not or is not compared.
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

    /// The differing bits of the words at two offsets.
    @inline(__always)
    private static func difference(_ bytes: UnsafeRawBufferPointer, _ one: Int, _ other: Int) -> UInt64 {
        unsafe bytes.loadUnaligned(fromByteOffset: one, as: UInt64.self)
            ^ bytes.loadUnaligned(fromByteOffset: other, as: UInt64.self)
    }
}
