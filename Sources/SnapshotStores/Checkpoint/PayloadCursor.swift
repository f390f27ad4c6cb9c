import ComponentKit

/// Reads values from a frame's payload; every read is checked against its end.
package struct PayloadCursor {
    /// The bytes of the frame, which may be changed in place.
    package var storage: [UInt8]
    /// The offset of the next value.
    package var offset: Int
    /// The end of the payload.
    package let limit: Int

    /// Reads bytes from their start.
    package init(_ bytes: [UInt8]) {
        self.init(bytes, from: 0, to: bytes.count)
    }

    /// Reads a part of bytes.
    package init(_ bytes: [UInt8], from start: Int, to end: Int) {
        self.storage = bytes
        self.offset = start
        self.limit = end
    }

    /// Whether all is read.
    package var isAtEnd: Bool { self.offset == self.limit }

    /// The next number.
    package mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type = Number.self) throws
        -> Number
    {
        let size = MemoryLayout<Number>.size
        guard self.limit - self.offset >= size else { throw Self.cutOff }
        defer { self.offset += size }
        return Number(
            littleEndian: unsafe self.storage.span.bytes.unsafeLoadUnaligned(
                fromByteOffset: self.offset, as: Number.self))
    }

    /// The next bytes.
    package mutating func bytes(_ count: Int) throws -> [UInt8] {
        guard count >= 0, self.limit - self.offset >= count else { throw Self.cutOff }
        defer { self.offset += count }
        return Array(self.storage[self.offset..<self.offset + count])
    }

    private static let cutOff = CheckpointFailure("it is damaged: a frame ends within a value")
}

extension [UInt8] {
    /// Appends a number in the file's format.
    package mutating func append<Number: FixedWidthInteger>(number: Number) {
        var value = number.littleEndian
        unsafe Swift.withUnsafeBytes(of: &value) { unsafe self.append(contentsOf: $0) }
    }
}
