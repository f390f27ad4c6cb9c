import StageKit

/// A hash that is the same in every process and on every machine, so that a sample is the same set of events everywhere.
///
/// FNV-1a over the bytes (Fowler, Noll and Vo; 64 bits), then the finalizer of MurmurHash3 (Appleby), because the low bits
/// of FNV alone are not even. Not secret: who chooses values can choose which of them are in the sample.
struct StableHash {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Takes a byte in.
    @inline(__always)
    mutating func combine(_ byte: UInt8) {
        self.state = (self.state ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    /// Takes a number in, its lowest byte first.
    mutating func combine(_ value: UInt64) {
        for shift in stride(from: 0, to: 64, by: 8) { self.combine(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    /// Takes bytes in, after their number, so that values that run together are told apart.
    mutating func combine(_ bytes: Span<UInt8>) {
        self.combine(UInt64(bytes.count))
        for index in bytes.indices { self.combine(bytes[index]) }
    }

    /// The hash of what was taken in.
    var value: UInt64 {
        var value = self.state
        value = (value ^ value >> 33) &* 0xFF51_AFD7_ED55_8CCD
        value = (value ^ value >> 33) &* 0xC4CE_B9FE_1A85_EC53
        return value ^ value >> 33
    }
}
