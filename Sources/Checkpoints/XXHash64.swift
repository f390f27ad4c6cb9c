/// The checksum of checkpoints: XXH64, which takes about a nanosecond per eight bytes and detects torn or changed
/// bytes.
///
/// It does not resist an attacker; the content is checked on its own for that. Source: the xxHash algorithm
/// description, version 0.2.0 (Y. Collet), XXH64.
package enum XXHash64 {
    private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63,
        0x27D4_EB2F_1656_67C5
    )

    /// The checksum of bytes under a seed.
    package static func hash(_ bytes: RawSpan, seed: UInt64) -> UInt64 {
        var offset = 0
        var hash: UInt64
        if bytes.byteCount >= 32 {
            var (one, two) = (seed &+ primes.0 &+ primes.1, seed &+ primes.1)
            var (three, four) = (seed, seed &- primes.0)
            while bytes.byteCount &- offset >= 32 {
                one = self.round(one, self.word(bytes, offset))
                two = self.round(two, self.word(bytes, offset &+ 8))
                three = self.round(three, self.word(bytes, offset &+ 16))
                four = self.round(four, self.word(bytes, offset &+ 24))
                offset &+= 32
            }
            hash = self.rotate(one, 1) &+ self.rotate(two, 7) &+ self.rotate(three, 12) &+ self.rotate(four, 18)
            for lane in [one, two, three, four] {
                hash = (hash ^ self.round(0, lane)) &* self.primes.0 &+ self.primes.3
            }
        } else {
            hash = seed &+ self.primes.4
        }
        hash &+= UInt64(bytes.byteCount)
        while bytes.byteCount &- offset >= 8 {
            hash = self.rotate(hash ^ self.round(0, self.word(bytes, offset)), 27) &* self.primes.0 &+ self.primes.3
            offset &+= 8
        }
        if bytes.byteCount &- offset >= 4 {
            let half = UInt64(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian)
            hash = self.rotate(hash ^ (half &* self.primes.0), 23) &* self.primes.1 &+ self.primes.2
            offset &+= 4
        }
        while offset < bytes.byteCount {
            let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
            hash = self.rotate(hash ^ (UInt64(byte) &* self.primes.4), 11) &* self.primes.0
            offset &+= 1
        }
        hash = (hash ^ hash &>> 33) &* self.primes.1
        hash = (hash ^ hash &>> 29) &* self.primes.2
        return hash ^ hash &>> 32
    }

    @inline(__always)
    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 {
        self.rotate(lane &+ input &* self.primes.1, 31) &* self.primes.0
    }

    @inline(__always)
    private static func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { value &<< by | value &>> (64 &- by) }

    // The load checks its bounds; it is unsafe only because any bytes form a number.
    @inline(__always)
    private static func word(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
    }
}
