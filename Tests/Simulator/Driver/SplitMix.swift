/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed everywhere.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    /// Begins a sequence; seeds next to each other begin sequences that have nothing in common.
    init(seed: UInt64) {
        self.state = seed &* 0xD134_2543_DE82_EF95 &+ 0x2545_F491_4F6C_DD1D
    }

    /// The next number.
    mutating func next() -> UInt64 {
        self.state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = self.state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to one below `limit`.
    mutating func below(_ limit: Int) -> Int { Int(truncatingIfNeeded: self.next() % UInt64(limit)) }

    /// True in so many of a hundred cases.
    mutating func percent(_ part: Int) -> Bool { self.below(100) < part }
}
