/// One of the slots that a cluster's keys are divided into.
///
/// Source: Redis cluster specification, "Key distribution model" and "Hash tags". CRC16 is the XMODEM variant
/// (polynomial 0x1021).
struct HashSlot: Sendable, Hashable {
    /// The number of slots in a cluster.
    static let count = 16_384

    /// The slot's number, below `count`.
    let number: UInt16

    /// Creates a slot from its number, or returns `nil` if the number is out of range.
    init?(_ number: UInt16) {
        guard number < Self.count else { return nil }
        self.number = number
    }

    /// Creates the slot of a key. Only the text between the key's first `{` and the next `}` is hashed, unless it is
    /// empty.
    init(of key: [UInt8]) {
        self.number = Self.crc16(Self.tag(of: key)) % UInt16(Self.count)
    }

    /// Returns the part of a key that is hashed.
    static func tag(of key: [UInt8]) -> ArraySlice<UInt8> {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")),
            let close = key[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        else { return key[...] }
        return key[(open + 1)..<close]
    }

    /// Returns the CRC16 checksum of bytes.
    static func crc16(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        var crc: UInt16 = 0
        for byte in bytes { crc = crc << 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ byte)] }
        return crc
    }

    private static let table: [UInt16] = (0..<256).map { index in
        (0..<8).reduce(UInt16(index) << 8) { crc, _ in crc & 0x8000 != 0 ? crc << 1 ^ 0x1021 : crc << 1 }
    }
}
