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
        var hasher = EventKeyHasher(parts: fields.count, stream: self.streamIndex)
        for index in fields.indices { self.withValue(of: fields[index]) { hasher.combine($0) } }
        return hasher.key
    }
}

/// Makes an `EventKey` of values.
struct EventKeyHasher {
    private var high = Hasher()
    private var low = Hasher()
    private var isAbsent = true

    /// Starts a key of this many values of an event from a stream.
    init(parts: Int, stream: Int) {
        // Both hashers have the same key; they differ by their first values.
        self.low.combine(parts)
        self.high.combine(stream)
        self.low.combine(stream)
    }

    /// Adds a value, or `nil` for an absent one.
    mutating func combine(_ value: Span<UInt8>?) {
        guard let value else {
            self.high.combine(-1)
            self.low.combine(-1)
            return
        }
        self.isAbsent = false
        unsafe value.withUnsafeBytes { bytes in
            self.high.combine(bytes.count)
            unsafe self.high.combine(bytes: bytes)
            self.low.combine(bytes.count)
            unsafe self.low.combine(bytes: bytes)
        }
    }

    /// The key, or `nil` if all values were absent.
    var key: EventKey? {
        if self.isAbsent { return nil }
        return EventKey(
            high: UInt64(bitPattern: Int64(self.high.finalize())), low: UInt64(bitPattern: Int64(self.low.finalize())))
    }
}
