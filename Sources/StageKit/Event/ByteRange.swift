/// A run of bytes in a batch's arena.
@frozen
public struct ByteRange: Hashable, Sendable {
    /// Bytes from the arena's start.
    public var offset: UInt32
    /// Length in bytes.
    public var length: UInt32

    /// Creates a range of `length` bytes that starts `offset` bytes into the arena.
    @inlinable
    public init(offset: UInt32, length: UInt32) {
        self.offset = offset
        self.length = length
    }
}

/// A field as the stream holds it: its name and its value, both in the batch's arena.
@frozen
public struct RawField: Sendable {
    /// The range of the name.
    public var name: ByteRange
    /// The range of the value.
    public var value: ByteRange

    /// Creates a field of two ranges.
    @inlinable
    public init(name: ByteRange, value: ByteRange) {
        self.name = name
        self.value = value
    }
}

/// A field's number in the graph: names are resolved to it once, when the graph is built.
@frozen
public struct FieldID: Hashable, Sendable {
    /// The column in the batch's table of decoded values.
    public let index: Int

    @inlinable
    package init(index: Int) {
        self.index = index
    }
}

/// A decoded value's range in the arena and, for numbers, the number itself.
@frozen
@usableFromInline
struct Slot {
    /// The largest value of a slot, in bytes: two bits of its length word hold its kind.
    @usableFromInline static let lengthLimit: UInt32 = 1 << 30 - 1
    @usableFromInline static let bytesKind: UInt32 = 1 << 30
    @usableFromInline static let integerKind: UInt32 = 2 << 30

    /// Bytes from the arena's start.
    @usableFromInline var offset: UInt32
    /// Kind in the two high bits (0 is absent), length in bytes in the others.
    @usableFromInline var lengthAndKind: UInt32
    /// The number, if the kind is integer.
    @usableFromInline var integer: Int64

    @inlinable
    init(offset: UInt32, lengthAndKind: UInt32, integer: Int64) {
        self.offset = offset
        self.lengthAndKind = lengthAndKind
        self.integer = integer
    }

    @inlinable var isPresent: Bool { self.lengthAndKind > Slot.lengthLimit }
    @inlinable var isInteger: Bool { self.lengthAndKind & Slot.integerKind != 0 }
    @inlinable var range: ByteRange {
        ByteRange(offset: self.offset, length: self.lengthAndKind & Slot.lengthLimit)
    }
}
