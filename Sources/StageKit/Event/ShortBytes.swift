// Ids, names and words are usually so short that a call of memcmp or memcpy would cost more than the work itself.

extension Span where Element == UInt8 {
    /// Returns whether another span has the same bytes.
    ///
    /// The bytes are compared in pieces, the last of which may overlap the one before it. Fewer than four bytes are
    /// compared one by one.
    @inlinable
    @inline(__always)
    public func hasSameBytes(as other: Span<UInt8>) -> Bool {
        let count = self.count
        guard count == other.count else { return false }
        if count >= 8 {
            var position = 0
            while position < count {
                let piece = Swift.min(position, count &- 8)
                if self.piece(piece, UInt64.self) != other.piece(piece, UInt64.self) { return false }
                position &+= 8
            }
            return true
        }
        if count >= 4 {
            return self.piece(0, UInt32.self) == other.piece(0, UInt32.self)
                && self.piece(count &- 4, UInt32.self) == other.piece(count &- 4, UInt32.self)
        }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }

    /// Returns whether an array has the same bytes.
    @inlinable
    @inline(__always)
    public func hasSameBytes(as other: [UInt8]) -> Bool { self.hasSameBytes(as: other.span) }

    // The load checks its bounds. It is marked unsafe only because any bytes form a number.
    @inlinable
    @inline(__always)
    func piece<Piece: FixedWidthInteger & BitwiseCopyable>(_ position: Int, _: Piece.Type) -> Piece {
        unsafe self.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: Piece.self)
    }
}

extension UnsafeMutableRawPointer {
    /// Copies bytes that do not overlap: up to 64 in two pieces, which overlap each other if there are fewer.
    @unsafe
    @inlinable
    @inline(__always)
    package func copyShort(from source: UnsafeRawPointer, count: Int) {
        switch count {
        case 33...64: unsafe self.copyEnds(source, count, SIMD32<UInt8>.self)
        case 16...32: unsafe self.copyEnds(source, count, SIMD16<UInt8>.self)
        case 8..<16: unsafe self.copyEnds(source, count, UInt64.self)
        case 4..<8: unsafe self.copyEnds(source, count, UInt32.self)
        default: unsafe self.copyMemory(from: source, byteCount: count)
        }
    }

    @unsafe
    @inlinable
    @inline(__always)
    func copyEnds<Piece: BitwiseCopyable>(_ source: UnsafeRawPointer, _ count: Int, _: Piece.Type) {
        let second = count &- MemoryLayout<Piece>.size
        let first = unsafe source.loadUnaligned(as: Piece.self)
        let last = unsafe source.loadUnaligned(fromByteOffset: second, as: Piece.self)
        unsafe self.storeBytes(of: first, as: Piece.self)
        unsafe self.storeBytes(of: last, toByteOffset: second, as: Piece.self)
    }
}
