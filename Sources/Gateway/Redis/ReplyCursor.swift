import NIOCore

/// Writes parts of a reply into memory whose size was determined before, so that a reply of many parts asks the buffer
/// for room only once.
///
/// Invariant: the first `count` bytes of `memory` are written, and `count` never exceeds its size; each method checks
/// that. `memory` is valid as long as the call that creates the cursor.
@safe
struct ReplyCursor: ~Copyable {
    /// The bytes of a header at most: a type, a sign, the digits of a 64-bit integer, and CR LF.
    static let headerBytes = 23

    private let memory: UnsafeMutableRawBufferPointer
    /// The number of bytes written.
    private(set) var count = 0

    /// Creates a cursor at the start of memory that nothing else uses meanwhile.
    @unsafe
    fileprivate init(_ memory: UnsafeMutableRawBufferPointer) {
        unsafe self.memory = memory
    }

    /// The bytes of a byte string in a reply, at most.
    static func bulkBytes(_ length: Int) -> Int { self.headerBytes + length + 2 }

    /// Writes bytes.
    @inline(__always)
    mutating func write(_ bytes: Span<UInt8>) {
        precondition(unsafe bytes.count <= self.memory.count - self.count, "the reply exceeds its announced size")
        guard bytes.count > 0, let base = unsafe self.memory.baseAddress else { return }
        unsafe bytes.withUnsafeBytes { source in
            if let from = source.baseAddress {
                unsafe (base + self.count).copyMemory(from: from, byteCount: source.count)
            }
        }
        self.count += bytes.count
    }

    /// Writes a header: a type byte, a number, and CR LF.
    @inline(__always)
    mutating func writeHeader(_ type: UInt8, _ number: Int) {
        precondition(unsafe self.memory.count - self.count >= Self.headerBytes, "no room for a header")
        guard let base = unsafe self.memory.baseAddress else { return }
        var place = self.count
        unsafe base.storeBytes(of: type, toByteOffset: place, as: UInt8.self)
        if number < 0 {
            place += 1
            unsafe base.storeBytes(of: UInt8(ascii: "-"), toByteOffset: place, as: UInt8.self)
        }
        var rest = number.magnitude
        var digits = 1
        var limit: UInt = 10
        // A number has at most 19 digits; the limit cannot overflow, because the loop ends with the 19th.
        while digits < 19, rest >= limit {
            digits += 1
            if digits < 19 { limit *= 10 }
        }
        for digit in 0..<digits {
            unsafe base.storeBytes(
                of: UInt8(truncatingIfNeeded: 0x30 + rest % 10), toByteOffset: place + digits - digit, as: UInt8.self)
            rest /= 10
        }
        place += digits + 1
        unsafe base.storeBytes(of: UInt16(0x0D0A).bigEndian, toByteOffset: place, as: UInt16.self)
        self.count = place + 2
    }

    /// Writes a byte string.
    @inline(__always)
    mutating func writeBulk(_ bytes: Span<UInt8>) {
        self.writeHeader(UInt8(ascii: "$"), bytes.count)
        self.write(bytes)
        self.writeLineEnd()
    }

    @inline(__always)
    private mutating func writeLineEnd() {
        precondition(unsafe self.memory.count - self.count >= 2, "no room for the end of a line")
        guard let base = unsafe self.memory.baseAddress else { return }
        unsafe base.storeBytes(of: UInt16(0x0D0A).bigEndian, toByteOffset: self.count, as: UInt16.self)
        self.count += 2
    }
}

extension ByteBuffer {
    /// Writes what `body` writes, at most `maximum` bytes.
    @inline(__always)
    mutating func writeParts(maximum: Int, _ body: (inout ReplyCursor) -> Void) {
        unsafe self.writeWithUnsafeMutableBytes(minimumWritableBytes: maximum) { memory in
            var cursor = unsafe ReplyCursor(memory)
            body(&cursor)
            return cursor.count
        }
    }
}
