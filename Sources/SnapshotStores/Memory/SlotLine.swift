/// A slot of a table, one word: the highest 24 bits of its key's hash, and the size class and first unit of its memory.
struct Slot: Equatable, Sendable {
    /// The word, 0 in a slot that is empty.
    let word: UInt64

    /// A slot as stored in its table.
    @inline(__always)
    init(word: UInt64) {
        self.word = word
    }

    /// A slot for a record.
    @inline(__always)
    init(hash: UInt64, _ location: RecordLocation) {
        self.word = hash & ~0xFF_FFFF_FFFF | UInt64(location.sizeClass.number) << 32 | UInt64(location.unit)
    }

    /// The location of the record.
    @inline(__always)
    var location: RecordLocation {
        RecordLocation(
            unit: UInt32(truncatingIfNeeded: self.word),
            sizeClass: SizeClass(number: UInt8(truncatingIfNeeded: self.word &>> 32)))
    }

    /// Whether the record may be that of a key with this hash.
    @inline(__always)
    func matches(_ hash: UInt64) -> Bool { (self.word ^ hash) &>> 40 == 0 }
}

/// The word before the slots of a line: a byte of the key's hash for each of the seven slots, 0 if the slot is empty,
/// and above them the number of records that had to move on to a later line because this one was full.
///
/// One word, so that the candidate slots of a key are found without a branch for each of them. That is half of what
/// makes lookups fast: a branch that depends on loaded memory keeps the processor from starting the next lookup.
struct LineTags {
    /// Slots in a line.
    static let slots = 7
    /// A count that has reached this maximum stays: more records may have passed the line than it can represent.
    private static let overflowLimit: UInt64 = 255
    private static let lowBits: UInt64 = 0x01_0101_0101_0101
    private static let highBits: UInt64 = 0x80_8080_8080_8080
    private static let restBits: UInt64 = 0x7F_7F7F_7F7F_7F7F

    /// The word.
    private(set) var word: UInt64

    /// The tags as stored in their line.
    @inline(__always)
    init(word: UInt64) {
        self.word = word
    }

    /// The slots that may be a key's.
    @inline(__always)
    func matches(_ hash: UInt64) -> Matches {
        Matches(zeroBytesOf: self.word ^ (Self.tag(hash) &* Self.lowBits))
    }

    /// The first empty slot, or `nil` if the line is full.
    @inline(__always)
    var firstEmpty: Int? {
        var empty = Matches(zeroBytesOf: self.word)
        return empty.next()
    }

    /// Whether a key that is not in the line may be in the next one.
    @inline(__always)
    var isPassed: Bool { self.word &>> 56 != 0 }

    /// Records that a slot has a record of a key with this hash.
    mutating func set(_ slot: Int, _ hash: UInt64) {
        self.word = self.word & ~(0xFF << UInt64(8 * slot)) | Self.tag(hash) << UInt64(8 * slot)
    }

    /// Records that a slot is empty.
    mutating func clear(_ slot: Int) {
        self.word &= ~(0xFF << UInt64(8 * slot))
    }

    /// Records that a record has moved to a later line.
    mutating func addPassed() {
        if self.word >> 56 < Self.overflowLimit { self.word += 1 << 56 }
    }

    /// Records that a record in a later line was removed.
    mutating func removePassed() {
        if self.word >> 56 < Self.overflowLimit { self.word -= 1 << 56 }
    }

    /// A slot's tag, 0 if it is empty.
    func tag(_ slot: Int) -> UInt64 { self.word >> UInt64(8 * slot) & 0xFF }

    /// The byte of a hash that is used as the tag: one that is neither used for the line's index nor stored in the
    /// slot.
    @inline(__always)
    private static func tag(_ hash: UInt64) -> UInt64 {
        let byte = hash &>> 32 & 0xFF
        return byte == 0 ? 1 : byte
    }

    /// Numbers of slots in ascending order.
    struct Matches {
        /// The high bit of each slot's byte.
        private var bits: UInt64

        /// Those of the lowest seven bytes that are zero: their high bit is neither set nor reached by a carry.
        @inline(__always)
        init(zeroBytesOf word: UInt64) {
            self.bits = ~((word & LineTags.restBits) &+ LineTags.restBits | word) & LineTags.highBits
        }

        /// Returns the next slot, or `nil` after the last.
        @inline(__always)
        mutating func next() -> Int? {
            if self.bits == 0 { return nil }
            defer { self.bits &= self.bits &- 1 }
            return self.bits.trailingZeroBitCount &>> 3
        }
    }
}
