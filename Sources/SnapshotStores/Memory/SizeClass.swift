/// The amount of memory of a record: a multiple of a unit up to 64 units, above that eight sizes per doubling, so that
/// the memory of a removed record fits others. At most an eighth of a large record's memory is unused.
struct SizeClass: Equatable, Sendable {
    /// Bytes in a unit: a record is located by the number of its first unit.
    static let unit = 16
    /// The number of units up to which each number has a class of its own.
    private static let fineUnits = 64
    private static let fineBits = 6
    /// The number of classes per doubling above that, as a power of two.
    private static let stepBits = 3
    /// The number of classes, including one of size zero: `maximum` is the last.
    static let count = 137
    /// The class of the largest possible records.
    static let maximum = SizeClass(bytes: MemoryStore.Limits.recordBytesRange.upperBound)

    /// The class's number, ascending with the size.
    let number: UInt8

    /// The class of a number below `count`.
    @inline(__always)
    init(number: UInt8) {
        self.number = number
    }

    /// The smallest class with capacity for this many bytes, at least 1 and at most the limit of a record.
    @inline(__always)
    init(bytes: Int) {
        let units = (bytes &+ (Self.unit - 1)) / Self.unit
        self.number = units <= Self.fineUnits ? UInt8(truncatingIfNeeded: units) : Self.coarse(units)
    }

    /// Units in its records.
    @inline(__always)
    var units: Int {
        let number = Int(self.number)
        if number <= Self.fineUnits { return number }
        let (doublings, step) = (number &- Self.fineUnits).quotientAndRemainder(dividingBy: 1 << Self.stepBits)
        return ((1 << Self.stepBits) &+ step) << (Self.fineBits - Self.stepBits &+ doublings)
    }

    /// Bytes in its records.
    @inline(__always)
    var capacity: Int { self.units &* Self.unit }

    private static func coarse(_ units: Int) -> UInt8 {
        var units = units
        func doublings() -> Int { Int.bitWidth - 1 - units.leadingZeroBitCount }
        let size = 1 << (doublings() - Self.stepBits)
        units = (units + size - 1) & ~(size - 1)
        let step = (units >> (doublings() - Self.stepBits)) - (1 << Self.stepBits)
        return UInt8(Self.fineUnits + (doublings() - Self.fineBits) << Self.stepBits + step)
    }
}
