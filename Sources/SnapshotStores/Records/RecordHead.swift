/// The bytes before a record's key, and whether that is the requested key: read in place, in few words, while other
/// threads may be writing them.
///
/// The result is valid only if the record's shard has not changed afterwards (`ShardArray`). Whatever the words
/// contain, nothing outside of them is read.
struct RecordHead {
    /// The lengths of keys that are compared this way: at least a word, and short enough that the length takes one byte
    /// of the record.
    static let keyLengths = 8...127
    /// The word of the number of fields, the marks, the key's length and its first five bytes.
    private static let index = 2
    private static let bytesBefore = 3
    private static let firstKeyBytes = SharedWords.stride - bytesBefore

    private let word: UInt64

    /// Reads a record's head; returns `nil` if its key is not this one, whose length is one of `keyLengths`.
    @inline(__always)
    init?(of key: Span<UInt8>, in words: SharedWords) {
        let count = key.count
        // The key ends within the words, or it is another key.
        let size = Self.index &* SharedWords.stride &+ Self.bytesBefore &+ count
        guard size <= words.count &* SharedWords.stride else { return nil }
        self.word = words[Self.index].littleEndian
        let start = UInt64(truncatingIfNeeded: count) | Self.word(key, 0) &<< 8
        var difference = (self.word &>> 16 ^ start) &<< 16
        var position = Self.firstKeyBytes
        var index = Self.index &+ 1
        while position &+ SharedWords.stride <= count {
            difference |= words[index].littleEndian ^ Self.word(key, position)
            position &+= SharedWords.stride
            index &+= 1
        }
        if position < count {
            // The key's last word without the bytes already compared, against the same number of bytes.
            let unused = UInt64(truncatingIfNeeded: 8 &* (SharedWords.stride &- (count &- position)))
            let rest = Self.word(key, count &- SharedWords.stride) &>> unused
            difference |= (words[index].littleEndian ^ rest) &<< unused
        }
        guard difference == 0 else { return nil }
    }

    /// Whether the record is the trace of an eviction.
    @inline(__always)
    var isTrace: Bool { UInt8(truncatingIfNeeded: self.word) == PackedRecord.traceMark }

    /// Whether the record meets the condition of a mark.
    @inline(__always)
    func isMarked(_ mark: UInt8) -> Bool { UInt8(truncatingIfNeeded: self.word &>> 8) & mark != 0 }

    /// The milliseconds of the entry id of a record that was found in these words.
    @inline(__always)
    static func entryTime(in words: SharedWords) -> UInt64 { words[0].littleEndian }

    /// Marks a record with the conditions that it meets; the caller must be allowed to change it.
    static func mark(_ words: SharedWords, _ marks: UInt8) {
        let word = words[self.index].littleEndian
        words[self.index] = (word & ~0xFF00 | UInt64(marks) << 8).littleEndian
    }

    // The loads check their bounds; they are unsafe only because any bytes form a number.
    @inline(__always)
    private static func word(_ key: Span<UInt8>, _ position: Int) -> UInt64 {
        unsafe key.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian
    }
}
