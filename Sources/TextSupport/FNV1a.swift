/// The hash FNV-1a with 64 bits (Fowler, Noll and Vo): the same in every process and on every machine.
///
/// It is not secret: anyone can choose bytes with a given hash. Its low bits alone are poorly distributed; mix the value
/// before it is reduced to a small number.
public struct FNV1a: Sendable, Equatable {
    /// The hash of the bytes added so far.
    public var value: UInt64 { self.state }

    @usableFromInline
    var state: UInt64

    /// Creates the hash of no bytes.
    @inlinable
    public init() {
        self.state = 0xCBF2_9CE4_8422_2325
    }

    /// Adds a byte.
    @inlinable
    public mutating func combine(_ byte: UInt8) {
        self.state = (self.state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    /// Adds bytes.
    @inlinable
    public mutating func combine(_ bytes: Span<UInt8>) {
        for index in bytes.indices { self.combine(bytes[index]) }
    }

    /// Adds the bytes of a text in UTF-8.
    public mutating func combine(_ text: String) {
        for byte in text.utf8 { self.combine(byte) }
    }

    /// Adds the end of a part: no bytes have the same effect, so parts have another hash than their concatenation.
    public mutating func endPart() {
        self.state = (self.state ^ 0x1FF) &* 0x0000_0100_0000_01B3
    }
}
