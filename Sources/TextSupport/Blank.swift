/// Detects and trims blank values. A value is blank if it is valid UTF-8 and consists only of Unicode White_Space.
public enum Blank {
    /// Returns whether the bytes contain only white space. Bytes that are not UTF-8 are not blank.
    @inlinable
    public static func isBlank(_ bytes: Span<UInt8>) -> Bool {
        self.isPlain(bytes) ? false : self.trimmed(bytes).isEmpty
    }

    /// Returns whether the first byte already shows that the value is not blank, which is the usual case.
    @inlinable
    @inline(__always)
    public static func isPlain(_ bytes: Span<UInt8>) -> Bool {
        !bytes.isEmpty && bytes[0] > 0x20 && bytes[0] < 0x80
    }

    /// Returns the range that remains after white space is removed from both ends.
    public static func trimmed(_ bytes: Span<UInt8>) -> Range<Int> {
        var start = 0
        while start < bytes.count, let length = self.whiteSpaceLength(bytes, at: start) { start += length }
        var end = bytes.count
        while end > start, let length = self.whiteSpaceLength(bytes, before: end, from: start) { end -= length }
        return start..<end
    }

    /// The encodings of the White_Space characters beyond ASCII (Unicode Character Database, PropList.txt).
    private static let wide: [[UInt8]] = [
        [0xC2, 0x85], [0xC2, 0xA0], [0xE1, 0x9A, 0x80],
        [0xE2, 0x80, 0x80], [0xE2, 0x80, 0x81], [0xE2, 0x80, 0x82], [0xE2, 0x80, 0x83], [0xE2, 0x80, 0x84],
        [0xE2, 0x80, 0x85], [0xE2, 0x80, 0x86], [0xE2, 0x80, 0x87], [0xE2, 0x80, 0x88], [0xE2, 0x80, 0x89],
        [0xE2, 0x80, 0x8A], [0xE2, 0x80, 0xA8], [0xE2, 0x80, 0xA9], [0xE2, 0x80, 0xAF], [0xE2, 0x81, 0x9F],
        [0xE3, 0x80, 0x80],
    ]

    private static func isASCIISpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    private static func whiteSpaceLength(_ bytes: Span<UInt8>, at start: Int) -> Int? {
        if bytes[start] < 0x80 { return self.isASCIISpace(bytes[start]) ? 1 : nil }
        return self.wide.first { self.matches(bytes, $0, at: start) }?.count
    }

    private static func whiteSpaceLength(_ bytes: Span<UInt8>, before end: Int, from start: Int) -> Int? {
        if bytes[end - 1] < 0x80 { return self.isASCIISpace(bytes[end - 1]) ? 1 : nil }
        return self.wide.first { end - $0.count >= start && self.matches(bytes, $0, at: end - $0.count) }?.count
    }

    private static func matches(_ bytes: Span<UInt8>, _ pattern: [UInt8], at start: Int) -> Bool {
        guard start + pattern.count <= bytes.count else { return false }
        return pattern.indices.allSatisfy { bytes[start + $0] == pattern[$0] }
    }
}
