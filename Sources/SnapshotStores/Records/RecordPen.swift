#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// Writes a record's parts one behind the other, numbers little-endian.
///
/// Nothing is checked: whoever has a buffer make the pen says how much may be written, and writes no more.
@unsafe
struct RecordPen {
    /// The most bytes that a field's number, its code and its integer take.
    static let fieldOverhead = 1 + maximumCode + 8
    /// The most bytes that a code takes: of a length of 32 bits and two more.
    static let maximumCode = 5

    /// Where the next byte goes.
    private(set) var next: UnsafeMutableRawPointer

    /// Writes from an address on.
    @inline(__always)
    init(_ start: UnsafeMutableRawPointer) {
        unsafe self.next = start
    }

    /// Writes what stands before the key's length.
    @inline(__always)
    mutating func write(_ milliseconds: UInt64, _ sequence: UInt64, fields: UInt8, marks: UInt8) {
        unsafe self.next.storeBytes(of: milliseconds.littleEndian, as: UInt64.self)
        unsafe self.next.storeBytes(of: sequence.littleEndian, toByteOffset: 8, as: UInt64.self)
        unsafe self.next.storeBytes(of: fields, toByteOffset: PackedRecord.countOffset, as: UInt8.self)
        unsafe self.next.storeBytes(of: marks, toByteOffset: PackedRecord.marksOffset, as: UInt8.self)
        unsafe self.next += PackedRecord.headerSize
    }

    /// Writes a byte.
    @inline(__always)
    mutating func write(byte: UInt8) {
        unsafe self.next.storeBytes(of: byte, as: UInt8.self)
        unsafe self.next += 1
    }

    /// Writes a code.
    @inline(__always)
    mutating func write(code: Int) {
        var rest = code
        while rest > 0x7F {
            unsafe self.write(byte: UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        unsafe self.write(byte: UInt8(truncatingIfNeeded: rest))
    }

    /// Writes an integer, eight bytes.
    @inline(__always)
    mutating func write(integer: Int64) {
        unsafe self.next.storeBytes(of: integer.littleEndian, as: Int64.self)
        unsafe self.next += 8
    }

    /// Writes bytes. They are mostly so few that a call of memcpy would cost more than the copy: they are taken in two
    /// pieces, which overlap where there are fewer.
    @inline(__always)
    mutating func write(_ bytes: UnsafeBufferPointer<UInt8>) {
        let length = bytes.count
        guard let source = unsafe UnsafeRawPointer(bytes.baseAddress) else { return }
        switch length {
        case 16...32: unsafe self.copyEnds(source, length, SIMD16<UInt8>.self)
        case 8..<16: unsafe self.copyEnds(source, length, UInt64.self)
        case 4..<8: unsafe self.copyEnds(source, length, UInt32.self)
        default: unsafe memcpy(self.next, source, length)
        }
        unsafe self.next += length
    }

    @inline(__always)
    private func copyEnds<Piece: BitwiseCopyable>(_ source: UnsafeRawPointer, _ length: Int, _: Piece.Type) {
        let second = length &- MemoryLayout<Piece>.size
        let first = unsafe source.loadUnaligned(as: Piece.self)
        let last = unsafe source.loadUnaligned(fromByteOffset: second, as: Piece.self)
        unsafe self.next.storeBytes(of: first, as: Piece.self)
        unsafe self.next.storeBytes(of: last, toByteOffset: second, as: Piece.self)
    }
}
