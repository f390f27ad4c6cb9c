/// Writes a record from its start to its end, word by word, as memory wants it that others load from meanwhile; writing
/// past the end is a trap, not a write.
struct RecordCursor {
    private let words: SharedWords
    /// The word that comes next.
    private var index = 0
    /// What is appended and not written, less than a word: its bytes from the lowest up, zeros above.
    private var pending: UInt64 = 0
    /// The number of bits in `pending`.
    private var bits: UInt64 = 0

    /// Writes from the first of the words on.
    @inline(__always)
    init(_ words: SharedWords) {
        self.words = words
    }

    /// Appends a byte.
    @inline(__always)
    mutating func append(byte: UInt8) {
        self.append(UInt64(byte), bytes: 1)
    }

    /// Appends a number, eight bytes.
    @inline(__always)
    mutating func append(number: UInt64) {
        self.append(number, bytes: 8)
    }

    /// Appends a code.
    @inline(__always)
    mutating func append(code: Int) {
        var rest = code
        while rest > 0x7F {
            self.append(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        self.append(byte: UInt8(truncatingIfNeeded: rest))
    }

    /// Appends bytes.
    @inline(__always)
    mutating func append(_ bytes: Span<UInt8>) {
        let count = bytes.count
        var position = 0
        while position &+ 8 <= count {
            self.append(RecordCursor.word(bytes, position), bytes: 8)
            position &+= 8
        }
        let rest = count &- position
        if rest == 0 { return }
        if count >= 8 {
            // The last eight bytes without those that are written.
            let last = RecordCursor.word(bytes, count &- 8)
            self.append(last &>> UInt64(truncatingIfNeeded: 8 &* (8 &- rest)), bytes: rest)
        } else {
            self.append(RecordCursor.few(bytes), bytes: rest)
        }
    }

    /// Writes what is left; the record ends here.
    @inline(__always)
    func finish() {
        if self.bits > 0 { self.words[self.index] = self.pending.littleEndian }
    }

    /// How many bytes a code takes.
    @inline(__always)
    static func size(ofCode code: Int) -> Int {
        var size = 1
        var rest = code &>> 7
        while rest > 0 {
            size &+= 1
            rest &>>= 7
        }
        return size
    }

    /// Appends the lowest 1 to 8 bytes of a value that has zeros above them.
    @inline(__always)
    private mutating func append(_ value: UInt64, bytes: Int) {
        let total = self.bits &+ UInt64(truncatingIfNeeded: 8 &* bytes)
        let filled = self.pending | value &<< self.bits
        if total < 64 {
            self.pending = filled
            self.bits = total
            return
        }
        self.words[self.index] = filled.littleEndian
        self.index &+= 1
        // By 64 where nothing was pending: nothing is left then.
        self.pending = value >> (64 &- self.bits)
        self.bits = total &- 64
    }

    /// One to seven bytes as a number.
    @inline(__always)
    private static func few(_ bytes: Span<UInt8>) -> UInt64 {
        let count = bytes.count
        guard count >= 4 else {
            var value: UInt64 = 0
            for index in 0..<count { value |= UInt64(bytes[index]) &<< UInt64(truncatingIfNeeded: 8 &* index) }
            return value
        }
        // Two halves, which overlap in bytes that are the same in both.
        let (first, last) = unsafe (
            bytes.bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt32.self).littleEndian,
            bytes.bytes.unsafeLoadUnaligned(fromByteOffset: count &- 4, as: UInt32.self).littleEndian
        )
        return UInt64(first) | UInt64(last) &<< UInt64(truncatingIfNeeded: 8 &* (count &- 4))
    }

    // The loads check their bounds; what is unsafe about them is only that any bytes make a number.
    @inline(__always)
    private static func word(_ bytes: Span<UInt8>, _ position: Int) -> UInt64 {
        unsafe bytes.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
    }
}
