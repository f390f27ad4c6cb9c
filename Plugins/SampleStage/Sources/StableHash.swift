import StageKit

/// A hash that is the same in every process and on every machine, so that a sample is the same set of events
/// everywhere.
///
/// FNV-1a over the bytes (Fowler, Noll and Vo; 64 bits), then the finalizer of MurmurHash3 (Appleby), because the low
/// bits of FNV alone are not evenly distributed. Not secret: a producer that chooses values can choose which are
/// sampled.
struct StableHash {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Adds a byte.
    @inline(__always)
    mutating func combine(_ byte: UInt8) {
        self.state = (self.state ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    /// Adds a number, lowest byte first.
    mutating func combine(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { self.combine(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// Adds bytes after their count, so that adjacent values are distinguished.
    mutating func combine(_ bytes: Span<UInt8>) {
        self.combine(UInt64(bytes.count))
        for index in bytes.indices { self.combine(bytes[index]) }
    }

    /// The hash of the bytes added so far.
    var value: UInt64 {
        var value = self.state
        value = (value ^ value >> 33) &* 0xFF51_AFD7_ED55_8CCD
        value = (value ^ value >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return value ^ value >> 33
    }
}
