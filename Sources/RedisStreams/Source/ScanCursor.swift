/// The cursor of SCAN, from which the progress of a scan can be estimated.
enum ScanCursor {
    /// Returns an estimate of the part of the keys before a cursor, from 0 to 1, or `nil` for other text than a number.
    ///
    /// Redis counts through its buckets with the bits of the cursor reversed, whatever the size of the table. Servers
    /// that count in another way, such as nodes of a cluster, give estimates that decrease now and then;
    /// `WorkProgress` ignores those.
    static func fraction(before cursor: [UInt8]) -> Double? {
        guard let number = UInt64(String(decoding: cursor, as: UTF8.self)) else { return nil }
        var (rest, reversed): (UInt64, UInt64) = (number, 0)
        for _ in 0..<UInt64.bitWidth {
            reversed = reversed << 1 | rest & 1
            rest >>= 1
        }
        return Double(reversed) / 0x1p64
    }
}
