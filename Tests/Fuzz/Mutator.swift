import StageKit

/// Random numbers, and what they do to bytes: the same for the same seed everywhere.
struct Mutator: RandomNumberGenerator {
    private var random: SplitMix64

    /// Begins a sequence.
    init(seed: UInt64) { self.random = SplitMix64(spreading: seed) }

    /// The next number.
    mutating func next() -> UInt64 { self.random.next() }

    /// A number below a limit above 0.
    mutating func below(_ limit: Int) -> Int { self.random.below(limit) }

    /// Some seeds one after the other with up to `changes` changes; `meaningful` bytes hit the grammar.
    mutating func mutate(_ seeds: [[UInt8]], _ meaningful: [UInt8], joined: Int, changes: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0...self.below(joined) { bytes += seeds[self.below(seeds.count)] }
        for _ in 0..<self.below(changes + 1) where !bytes.isEmpty {
            let place = self.below(bytes.count)
            switch self.below(7) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: self.next())
            case 1: bytes[place] = meaningful[self.below(meaningful.count)]
            case 2: bytes.insert(meaningful[self.below(meaningful.count)], at: place)
            case 3: bytes.remove(at: place)
            case 4: bytes.removeSubrange(place..<min(place + 1 + self.below(9), bytes.count))
            case 5: bytes.insert(contentsOf: Array(bytes[place...].prefix(1 + self.below(40))), at: place)
            default:
                let seed = seeds[self.below(seeds.count)]
                bytes.insert(
                    contentsOf: seed.dropFirst(self.below(seed.count + 1)).prefix(1 + self.below(40)), at: place)
            }
        }
        return bytes
    }
}
