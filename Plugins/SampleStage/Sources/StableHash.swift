import StageKit

/// A hash that is the same in every process and on every machine, so that a sample is the same set of events
/// everywhere.
///
/// FNV-1a over the bytes, then the finalizer of MurmurHash3 (Appleby), because the low bits of FNV alone are not evenly
/// distributed. Not secret: a producer that chooses values can choose which are sampled.
struct StableHash {
    private var hash = FNV1a()

    /// Adds a number, lowest byte first.
    mutating func combine(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { self.hash.combine(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// Adds bytes after their count, so that adjacent values are distinguished.
    mutating func combine(_ bytes: Span<UInt8>) {
        self.combine(UInt64(bytes.count))
        self.hash.combine(bytes)
    }

    /// The hash of the bytes added so far.
    var value: UInt64 {
        var value = self.hash.value
        value = (value ^ value >> 33) &* 0xFF51_AFD7_ED55_8CCD
        value = (value ^ value >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return value ^ value >> 33
    }
}
