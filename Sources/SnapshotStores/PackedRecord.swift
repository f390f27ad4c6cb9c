import StageKit
import Synchronization

/// One key's record, packed into one piece of malloc'ed memory.
///
/// ```
/// offset 0   milliseconds of the entry id (8), sequence (8)
///       16   number of fields (1), or 255 in the trace of an eviction, which has a key and no fields
///       17   length of the key (a code), the key
///        .   for each field, short ones first: number of its name (1), code of length << 2 | kind, then
///            kind 0, the key itself:     nothing, or 8 bytes of integer where the length is 1
///            kind 1, text:               the bytes
///            kind 2, canonical integer:  8 bytes, the text is what the integer prints as (the length is 0)
///            kind 3, integer with text:  8 bytes of integer, the bytes
/// ```
/// A code is a LEB128 number: seven bits a byte, the lowest first, the high bit set on all but the last.
///
/// This file and `ShardArray.swift` are the only ones that reach into memory. The invariants of this one:
/// - `base` is from `allocate`, `capacity(units)` bytes long, aligned to 16, and freed once, by `free`.
/// - A record is written whole by a `RecordCursor`, whose every write is checked against its end, before it gets into a
///   slot; after that it is only written with the locks of its shard held (`ShardArray`). So whoever reads one
///   finds the layout above, whose lengths stay inside the record, and reading needs no checks.
@safe
struct PackedRecord {
    /// The number of fields that a trace of an eviction claims to have.
    static let traceMark: UInt8 = 255
    /// Bytes before the key's length.
    static let headerSize = 17
    /// Sizes are multiples of this many bytes, as malloc's own are.
    private static let unit = 16
    /// Of each chunk malloc keeps 8 bytes to itself (glibc): sizes that leave them fill chunks without a remainder.
    private static let chunkHeader = 8
    /// Up to this many units there is a size class for each number of units, above it eight for each doubling.
    private static let fineUnits = 64

    private let base: UnsafeMutableRawPointer

    /// The size class of a record, in units: two records of one class fit each other's memory.
    static func units(for size: Int) -> UInt16 {
        var units = (size + (self.unit - self.chunkHeader - 1)) / self.unit
        if units > self.fineUnits {
            let step = 1 << (Int.bitWidth - 1 - units.leadingZeroBitCount - 3)
            units = (units + step - 1) & ~(step - 1)
        }
        return UInt16(units)
    }

    /// Bytes in a record of a size class.
    static func capacity(_ units: UInt16) -> Int { Int(units) * self.unit + self.chunkHeader }

    /// Memory for a record of a size class, not yet written.
    init(units: UInt16) {
        unsafe self.base = .allocate(
            byteCount: PackedRecord.capacity(units), alignment: PackedRecord.unit)
    }

    /// Gives the memory back; the record must not be in a slot any more.
    func free() {
        unsafe self.base.deallocate()
    }

    /// Where a record of a size class is written, from its start.
    func cursor(units: UInt16) -> RecordCursor {
        unsafe RecordCursor(self.base, capacity: PackedRecord.capacity(units))
    }

    /// A copy of what is written of it, for the caller to free.
    func clone() -> PackedRecord {
        var walk = self.fields
        while walk.next() != nil {}
        let copy = PackedRecord(units: PackedRecord.units(for: walk.end))
        unsafe copy.base.copyMemory(from: self.base, byteCount: walk.end)
        return copy
    }

    // MARK: Reading

    /// The entry it came from, or the one that evicted its key.
    @inline(__always)
    var entryID: EntryID {
        unsafe EntryID(
            milliseconds: self.base.load(as: UInt64.self), sequence: self.base.load(fromByteOffset: 8, as: UInt64.self))
    }

    /// Whether it stands for an eviction.
    @inline(__always)
    var isTrace: Bool { self.byte(16) == PackedRecord.traceMark }

    /// Where the key is.
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

    /// The bytes of a range, valid while the record is neither changed nor freed.
    @unsafe
    func unsafeBytes(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
        let start = unsafe (self.base + range.lowerBound).assumingMemoryBound(to: UInt8.self)
        return unsafe UnsafeBufferPointer(start: start, count: range.count)
    }

    /// The fields in the order they are packed in.
    var fields: RecordFields {
        RecordFields(self, first: self.keyRange.upperBound, count: self.isTrace ? 0 : self.byte(16))
    }

    /// The fields of a live record whose key is known to have this length, which tells where they begin before the
    /// record's own bytes are at hand.
    @inline(__always)
    func fields(keyLength: Int) -> RecordFields {
        let start = PackedRecord.headerSize &+ RecordCursor.size(ofCode: keyLength) &+ keyLength
        return RecordFields(self, first: start, count: self.byte(16))
    }

    /// Starts to fetch the record's first two cache lines, both at once; what is asked for most lies there.
    ///
    /// Swift has no prefetch, but a relaxed atomic load is not dropped for want of a use and nobody waits for its result.
    /// The bytes read may never have been written; they mean nothing.
    @inline(__always)
    func fetch(units: UInt16) {
        self.fetchByte(at: 0)
        self.fetchByte(at: Swift.min(64, PackedRecord.capacity(units) &- 1))
    }

    @inline(__always)
    private func fetchByte(at offset: Int) {
        _ = unsafe (self.base + offset).assumingMemoryBound(to: Atomic<UInt8>.self).pointee.load(ordering: .relaxed)
    }

    /// Whether a range has the same bytes: eight at a time, the last eight overlapping the ones before.
    @inline(__always)
    func bytes(_ range: Range<Int>, equal other: Span<UInt8>) -> Bool {
        let count = range.count
        guard count == other.count else { return false }
        let start = unsafe self.base + range.lowerBound
        guard count >= 8 else {
            for index in 0..<count where unsafe start.load(fromByteOffset: index, as: UInt8.self) != other[index] {
                return false
            }
            return true
        }
        var index = 0
        while index < count {
            let position = Swift.min(index, count &- 8)
            let mine = unsafe start.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let theirs = unsafe other.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
            if mine != theirs { return false }
            index &+= 8
        }
        return true
    }

    @inline(__always)
    fileprivate func byte(_ offset: Int) -> UInt8 {
        unsafe self.base.load(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    fileprivate func integer(_ offset: Int) -> Int64 {
        unsafe self.base.loadUnaligned(fromByteOffset: offset, as: Int64.self)
    }

    /// The code at an offset and where it ends.
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
    /// The number, where the value was decoded as one.
    let integer: Int64?
    /// Where its bytes are; nil where they are what the integer prints as.
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

    /// Where the next field begins: the record's end once all were read.
    var end: Int { self.offset }

    /// The next field, nil after the last.
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

    /// The field of a name, nil where there is none; the walk goes on behind it.
    @inline(__always)
    mutating func first(_ number: UInt8) -> RecordField? {
        while let field = self.next() {
            if field.number == number { return field }
        }
        return nil
    }
}

/// Writes a record from its start to its end; writing past the end is a trap, not a write.
@safe
struct RecordCursor {
    private var position: UnsafeMutableRawPointer
    private let end: UnsafeMutableRawPointer

    fileprivate init(_ base: UnsafeMutableRawPointer, capacity: Int) {
        unsafe self.position = base
        unsafe self.end = base + capacity
    }

    /// Appends a number as it lies in memory.
    @inline(__always)
    mutating func append<Number: FixedWidthInteger & BitwiseCopyable>(_ number: Number) {
        let size = MemoryLayout<Number>.size
        precondition(unsafe self.end - self.position >= size, "a record is written past its end")
        unsafe self.position.storeBytes(of: number, as: Number.self)
        unsafe self.position += size
    }

    /// Appends a code.
    @inline(__always)
    mutating func append(code: Int) {
        var rest = code
        while rest > 0x7F {
            self.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        self.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends bytes.
    @inline(__always)
    mutating func append(_ bytes: Span<UInt8>) {
        precondition(unsafe self.end - self.position >= bytes.count, "a record is written past its end")
        let target = unsafe self.position
        unsafe bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { unsafe target.copyMemory(from: start, byteCount: source.count) }
        }
        unsafe self.position += bytes.count
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
}
