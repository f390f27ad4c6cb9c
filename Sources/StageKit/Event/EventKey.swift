/// A hash of the values of some fields of an event, used to remember them without their text.
///
/// 128 bits of SipHash-1-3 (Aumasson and Bernstein, 2012; the standard library's `Hasher`), with a new hash key in each
/// process. Nobody can choose values that collide, and the probability that any two of the maximum number of keys in a
/// `RecentKeys` collide by chance is below 2^-80. It has no meaning in another process.
@frozen
public struct EventKey: Hashable, Sendable, BitwiseCopyable {
    @usableFromInline let high: UInt64
    @usableFromInline let low: UInt64

    @inlinable
    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension Event {
    /// Returns the key of the values of these fields, or `nil` if the event has none of them.
    ///
    /// The keys of two events of one stream are equal if each field has the same bytes in both or is absent from both.
    public func key(of fields: [FieldID]) -> EventKey? {
        var high = Hasher()
        var low = Hasher()
        // Both hashers have the same key; they differ by their first values.
        low.combine(fields.count)
        high.combine(self.streamIndex)
        low.combine(self.streamIndex)
        var isAbsent = true
        for index in fields.indices {
            guard let range = self.range(of: fields[index]) else {
                high.combine(-1)
                low.combine(-1)
                continue
            }
            isAbsent = false
            let bytes = UnsafeRawBufferPointer(unsafe self.unsafeBytes(range))
            high.combine(bytes.count)
            unsafe high.combine(bytes: bytes)
            low.combine(bytes.count)
            unsafe low.combine(bytes: bytes)
        }
        if isAbsent { return nil }
        return EventKey(
            high: UInt64(bitPattern: Int64(high.finalize())), low: UInt64(bitPattern: Int64(low.finalize())))
    }
}
