import StageKit

/// One key's record, packed into one block of memory.
///
/// ```
/// offset 0   milliseconds of the entry id (8), sequence (8)
///       16   number of fields (1), or 255 in the trace of an eviction, which has a key and no fields
///       17   a bit for each of the store's conditions that the record meets (1); in a trace the number of its stream
///       18   length of the key (a code), the key
///        .   for each field, short ones first: number of its name (1), code of length << 2 | kind, then
///            kind 0, the key itself:     nothing, or 8 bytes of integer if the length is 1
///            kind 1, text:               the bytes
///            kind 2, canonical integer:  8 bytes, the text is the integer in decimal (the length is 0)
///            kind 3, integer with text:  8 bytes of integer, the bytes
/// ```
/// A code is a LEB128 number: seven bits per byte, the lowest first, the high bit set on all but the last. Numbers are
/// little-endian.
///
/// Invariants:
/// - A record is packed completely by a `RecordDraft` and stored in one go (`SharedWords.store`), before a slot refers
///   to it; after that it is only written under the access rules of `ShardArray`.
/// - A value of this type refers to memory that does not change while it is used: the store's own under `changes`, or a
///   copy that was found to be consistent.
///
/// A reader therefore always finds the layout above, whose lengths stay inside the record, and needs no checks.
@safe
struct PackedRecord {
    /// The number of fields in the head of an eviction's trace.
    static let traceMark: UInt8 = 255
    /// Bytes before the key's length.
    static let headerSize = 18
    /// Offset of the number of fields.
    static let countOffset = 16
    /// Offset of the marks.
    static let marksOffset = 17

    private let base: UnsafeRawPointer

    /// The record at an address that is aligned to 8.
    @unsafe
    @inline(__always)
    init(_ base: UnsafeRawPointer) {
        unsafe self.base = base
    }

    /// Number of bytes written so far.
    var size: Int {
        var walk = self.fields
        while walk.next() != nil {}
        return walk.end
    }

    /// The entry of the snapshot, or the one that evicted its key.
    @inline(__always)
    var entryID: EntryID {
        unsafe EntryID(
            milliseconds: UInt64(littleEndian: self.base.load(as: UInt64.self)),
            sequence: UInt64(littleEndian: self.base.load(fromByteOffset: 8, as: UInt64.self)))
    }

    /// Whether it is the trace of an eviction.
    @inline(__always)
    var isTrace: Bool { self.byte(PackedRecord.countOffset) == PackedRecord.traceMark }

    /// The marks of the conditions that it meets (`MarkedConditions`); of a trace, the number of its stream.
    var marks: UInt8 { self.byte(PackedRecord.marksOffset) }

    /// The range of the key.
    @inline(__always)
    var keyRange: Range<Int> {
        let (length, start) = self.code(at: PackedRecord.headerSize)
        return start..<(start &+ length)
    }

    /// Whether its key has these bytes.
    @inline(__always)
    func hasKey(_ key: Span<UInt8>) -> Bool {
        self.bytes(self.keyRange, equal: key)
    }

    /// The bytes of a range, valid as long as the record is.
    @unsafe
    @inline(__always)
    func unsafeBytes(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        let start = unsafe (self.base + range.lowerBound).assumingMemoryBound(to: UInt8.self)
        return unsafe UnsafeBufferPointer(start: start, count: range.count)
    }

    /// The fields in the order they are packed in.
    var fields: RecordFields {
        let count = self.isTrace ? 0 : self.byte(PackedRecord.countOffset)
        return RecordFields(self, first: self.keyRange.upperBound, count: count)
    }

    /// The fields of a live record whose key is known to have this length, which gives their offset before the record's
    /// bytes have been loaded.
    @inline(__always)
    func fields(keyLength: Int) -> RecordFields {
        let start = PackedRecord.headerSize &+ PackedRecord.size(ofCode: keyLength) &+ keyLength
        return RecordFields(self, first: start, count: self.byte(PackedRecord.countOffset))
    }

    /// Whether a range has the same bytes.
    @inline(__always)
    func bytes(_ range: Range<Int>, equal other: Span<UInt8>) -> Bool {
        unsafe self.unsafeBytes(range).span.hasSameBytes(as: other)
    }

    /// Number of bytes of a code.
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

    @inline(__always)
    fileprivate func byte(_ offset: Int) -> UInt8 {
        unsafe self.base.load(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    fileprivate func integer(_ offset: Int) -> Int64 {
        unsafe Int64(littleEndian: self.base.loadUnaligned(fromByteOffset: offset, as: Int64.self))
    }

    /// The code at an offset, and its end.
    @inline(__always)
    fileprivate func code(at offset: Int) -> (value: Int, next: Int) {
        let first = self.byte(offset)
        if first < 0x80 { return (Int(first), offset &+ 1) }
        var value = Int(first & 0x7F)
        var position = offset &+ 1
        var shift = 7
        while true {
            let byte = self.byte(position)
            value |= Int(byte & 0x7F) &<< shift
            position &+= 1
            if byte < 0x80 { return (value, position) }
            shift &+= 7
        }
    }
}

/// A field in a record.
struct RecordField {
    /// The number of its name.
    let number: UInt8
    /// The number, if the value was decoded as one.
    let integer: Int64?
    /// The range of its bytes, or `nil` if they are the integer's decimal form.
    let range: Range<Int>?
}

/// Walks over a record's fields.
struct RecordFields: IteratorProtocol {
    private let record: PackedRecord
    private var offset: Int
    private var left: UInt8

    fileprivate init(_ record: PackedRecord, first offset: Int, count: UInt8) {
        self.record = record
        self.offset = offset
        self.left = count
    }

    /// Offset of the next field: the record's end after the last one.
    var end: Int { self.offset }

    /// Returns the next field, or `nil` after the last.
    @inline(__always)
    mutating func next() -> RecordField? {
        if self.left == 0 { return nil }
        self.left &-= 1
        let number = self.record.byte(self.offset)
        let (code, start) = self.record.code(at: self.offset &+ 1)
        let length = code &>> 2
        switch code & 3 {
        case 0:
            self.offset = start &+ length &* 8
            let integer = length == 0 ? nil : self.record.integer(start)
            return RecordField(number: number, integer: integer, range: self.record.keyRange)
        case 1:
            self.offset = start &+ length
            return RecordField(number: number, integer: nil, range: start..<self.offset)
        case 2:
            self.offset = start &+ 8
            return RecordField(number: number, integer: self.record.integer(start), range: nil)
        default:
            self.offset = start &+ 8 &+ length
            return RecordField(
                number: number, integer: self.record.integer(start), range: (start &+ 8)..<self.offset)
        }
    }

    /// The field of a name, or `nil` if there is none; the iteration continues after it.
    @inline(__always)
    mutating func first(_ number: UInt8) -> RecordField? {
        while let field = self.next() {
            if field.number == number { return field }
        }
        return nil
    }
}
