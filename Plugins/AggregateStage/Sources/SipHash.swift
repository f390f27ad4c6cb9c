/// SipHash-2-4 (Aumasson and Bernstein, 2012) with 64 bits.
///
/// `distinct` remembers hashes of values instead of the values. Unlike the standard library's hashes, these have the
/// same meaning in another process if the key is saved with them. Nobody who does not know the key can choose values
/// that collide; by chance, a million different values contain two of the same hash with a probability of 3 in 10^8.
struct SipHash: Sendable, Equatable {
    /// The halves of the key.
    let first: UInt64
    let second: UInt64

    /// Creates a hash function with a key of its own.
    static func random() -> SipHash {
        SipHash(first: .random(in: .min ... .max), second: .random(in: .min ... .max))
    }

    /// Returns the hash of bytes.
    func hash(_ bytes: Span<UInt8>) -> UInt64 {
        var state = State(self)
        var offset = 0
        while offset + 8 <= bytes.count {
            state.absorb(Self.word(bytes, offset, 8))
            offset += 8
        }
        state.absorb(UInt64(truncatingIfNeeded: bytes.count) << 56 | Self.word(bytes, offset, bytes.count - offset))
        return state.finish()
    }

    private static func word(_ bytes: Span<UInt8>, _ offset: Int, _ count: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in 0..<count { word |= UInt64(bytes[offset + index]) << (8 * UInt64(index)) }
        return word
    }

    /// The internal state: v0 to v3 of the paper.
    private struct State {
        var v0: UInt64
        var v1: UInt64
        var v2: UInt64
        var v3: UInt64

        init(_ key: SipHash) {
            self.v0 = key.first ^ 0x736F_6D65_7073_6575
            self.v1 = key.second ^ 0x646F_7261_6E64_6F6D
            self.v2 = key.first ^ 0x6C79_6765_6E65_7261
            self.v3 = key.second ^ 0x7465_6462_7974_6573
        }

        mutating func absorb(_ word: UInt64) {
            self.v3 ^= word
            for _ in 0..<2 { self.round() }
            self.v0 ^= word
        }

        mutating func finish() -> UInt64 {
            self.v2 ^= 0xFF
            for _ in 0..<4 { self.round() }
            return self.v0 ^ self.v1 ^ self.v2 ^ self.v3
        }

        private mutating func round() {
            self.v0 &+= self.v1
            self.v1 = Self.rotate(self.v1, 13) ^ self.v0
            self.v0 = Self.rotate(self.v0, 32)
            self.v2 &+= self.v3
            self.v3 = Self.rotate(self.v3, 16) ^ self.v2
            self.v0 &+= self.v3
            self.v3 = Self.rotate(self.v3, 21) ^ self.v0
            self.v2 &+= self.v1
            self.v1 = Self.rotate(self.v1, 17) ^ self.v2
            self.v2 = Self.rotate(self.v2, 32)
        }

        private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 {
            word << count | word >> (64 - count)
        }
    }
}
