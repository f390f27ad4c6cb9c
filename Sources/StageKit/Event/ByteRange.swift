/// A range of bytes in a batch's arena.
@frozen
public struct ByteRange: Hashable, Sendable {
    /// The offset from the start of the arena, in bytes.
    public var offset: UInt32
    /// The length in bytes.
    public var length: UInt32

    /// Creates a range of `length` bytes that starts `offset` bytes into the arena.
    @inlinable
    public init(offset: UInt32, length: UInt32) {
        self.offset = offset
        self.length = length
    }
}

/// A field of an entry in the stream: its name and its value, both in the batch's arena.
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

/// The number of a field in the graph. Names are resolved to numbers once, when the graph is built.
@frozen
public struct FieldID: Hashable, Sendable {
    /// The column in the batch's table of decoded values.
    public let index: Int

    @inlinable
    package init(index: Int) {
        self.index = index
    }
}

/// The range of a decoded value in the arena and, for int64, the number itself. Other types keep their values beside
/// the table (`BatchStorage.typed`).
@frozen
@usableFromInline
struct Cell {
    /// The maximum length of a value, in bytes: two bits of the length word hold the kind.
    @usableFromInline static let lengthLimit: UInt32 = 1 << 30 - 1
    @usableFromInline static let bytesKind: UInt32 = 1 << 30
    @usableFromInline static let integerKind: UInt32 = 2 << 30

    /// The offset from the start of the arena, in bytes.
    @usableFromInline var offset: UInt32
    /// The kind in the two highest bits (0 is absent), and the length in bytes in the others.
    @usableFromInline var lengthAndKind: UInt32
    /// The number, if the kind is integer; the number of the typed value, or 0, if the kind is bytes.
    @usableFromInline var integer: Int64

    @inlinable
    init(offset: UInt32, lengthAndKind: UInt32, integer: Int64) {
        self.offset = offset
        self.lengthAndKind = lengthAndKind
        self.integer = integer
    }

    @inlinable var isPresent: Bool { self.lengthAndKind > Cell.lengthLimit }
    @inlinable var isInteger: Bool { self.lengthAndKind & Cell.integerKind != 0 }
    @inlinable var range: ByteRange {
        ByteRange(offset: self.offset, length: self.lengthAndKind & Cell.lengthLimit)
    }
}
