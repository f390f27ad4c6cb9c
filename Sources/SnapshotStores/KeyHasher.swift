/// Hashes keys with random secrets of each store, so that nobody outside can choose keys that collide.
///
/// The construction is the folded 64 by 64 bit multiplication of wyhash and foldhash, which Go's runtime also uses for
/// map keys without AES instructions. It takes a few nanoseconds for a session's id; SipHash-1-3 (`Swift.Hasher`) takes
/// several times as long. Its strength depends on the secrets staying secret: hashes never leave the store, and only
/// processes that may read a shared store's file know the secrets. If keys collide nevertheless, lookups get slower but
/// stay correct.
struct KeyHasher: Sendable {
    private let secrets: (UInt64, UInt64, UInt64, UInt64)
    private let mask: UInt64

    /// Draws random secrets; bits that are 0 in `mask` are 0 in every hash, which lets tests make keys collide.
    init(mask: UInt64 = .max) {
        var generator = SystemRandomNumberGenerator()
        self.secrets = (generator.next(), generator.next(), generator.next(), generator.next())
        self.mask = mask
    }

    /// The secrets and the mask, for processes that look up keys in a shared file.
    var words: [UInt64] { [self.secrets.0, self.secrets.1, self.secrets.2, self.secrets.3, self.mask] }

    /// The hash of a key; its bits are of equal quality.
    @inline(__always)
    func hash(_ key: Span<UInt8>) -> UInt64 {
        let count = key.count
        var state = self.secrets.0
        var position = 0
        while count &- position > 16 {
            state = KeyHasher.fold(
                KeyHasher.word(key, position) ^ self.secrets.1, KeyHasher.word(key, position &+ 8) ^ state)
            position &+= 16
        }
        let (first, last) = KeyHasher.ends(key, from: position)
        state = KeyHasher.fold(first ^ self.secrets.2, last ^ state)
        // The count is added last, as in wyhash: mixed with the words, it could be cancelled out by a choice of bytes.
        return KeyHasher.fold(state ^ self.secrets.1, self.secrets.3 ^ UInt64(truncatingIfNeeded: count)) & self.mask
    }

    /// The last 0 to 16 bytes as two words, which overlap if there are fewer; the count is hashed as well.
    @inline(__always)
    private static func ends(_ key: Span<UInt8>, from start: Int) -> (UInt64, UInt64) {
        let end = key.count
        switch end &- start {
        case 8...: return (self.word(key, start), self.word(key, end &- 8))
        case 4...: return (self.halfWord(key, start), self.halfWord(key, end &- 4))
        case 1...:
            let middle = start &+ (end &- start) / 2
            return (UInt64(key[start]) << 8 | UInt64(key[middle]), UInt64(key[end &- 1]))
        default: return (0, 0)
        }
    }

    @inline(__always)
    private static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }

    // The loads check their bounds; they are unsafe only because any bytes form a number.

    @inline(__always)
    private static func word(_ key: Span<UInt8>, _ position: Int) -> UInt64 {
        unsafe key.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
    }

    @inline(__always)
    private static func halfWord(_ key: Span<UInt8>, _ position: Int) -> UInt64 {
        unsafe UInt64(key.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt32.self))
    }
}
