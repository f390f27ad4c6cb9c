/// SplitMix64: a small generator whose numbers are the same for the same seed, on every machine. They are not secret.
///
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Creates a generator. The numbers of neighbouring seeds may be related.
    package init(state: UInt64) {
        self.state = state
    }

    /// Creates a generator whose numbers have nothing in common with those of a neighbouring seed.
    package init(spreading seed: UInt64) {
        self.state = seed &* 0xD134_2543_DE82_EF95 &+ 0x2545_F491_4F6C_DD1D
    }

    /// Returns the next 64 bits.
    package mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mixed(self.state)
    }

    /// Returns a number from 0 up to but not including `limit`.
    package mutating func below(_ limit: Int) -> Int {
        Int(truncatingIfNeeded: self.next() % UInt64(limit))
    }

    /// Returns a number that looks random; no two numbers have the same result.
    private static func mixed(_ number: UInt64) -> UInt64 {
        let first = (number ^ (number >> 30)) &* 0xBF58_476D_1CE4_E5B9
        let second = (first ^ (first >> 27)) &* 0x94D0_49BB_1331_11EB
        return second ^ (second >> 31)
    }
}
