import StageKit

/// Writes a record's parts in sequence, numbers in little-endian order.
///
/// Writing is not checked: the caller must check the capacity first (`hasRoom`).
@unsafe
struct RecordPen {
    /// The maximum size of a field's number, its code and its integer.
    static let fieldOverhead = 1 + maximumCode + 8
    /// The maximum size of a code: that of a 32-bit length and two more bits.
    static let maximumCode = 5

    /// The address of the next byte.
    private(set) var next: UnsafeMutableRawPointer

    private let end: UnsafeMutableRawPointer

    /// Creates a pen that writes from an address up to another.
    @inline(__always)
    init(_ start: UnsafeMutableRawPointer, end: UnsafeMutableRawPointer) {
        unsafe self.next = start
        unsafe self.end = end
    }

    /// Whether this many bytes can be written.
    @inline(__always)
    func hasRoom(_ bytes: Int) -> Bool { unsafe self.end - self.next >= bytes }

    /// Writes the bytes before the key's length.
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

    /// Writes bytes.
    @inline(__always)
    mutating func write(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let source = unsafe UnsafeRawPointer(bytes.baseAddress) else { return }
        unsafe self.next.copyShort(from: source, count: bytes.count)
        unsafe self.next += bytes.count
    }
}
