/// Finds where the reply to a read of one stream ends, and the id of its last entry, by going from length to length:
/// before any value is read, so that the next read can be asked for meanwhile.
///
/// Pure: it is shown all bytes from the reply's first on, as often as more have come, and goes on where it was. What it
/// finds is a guess to act on early, no more: it knows lists and byte strings alone, and whoever acts on it holds it
/// against the reply once that is read.
package struct ReplyScanner: Sendable {
    /// The longest reply that is waited for: the input of one that is kept back lies in memory whole (4 MiB: an XREAD
    /// COUNT 16384).
    static let maximumBytes = 4 << 20
    /// An entry that had not come whole is gone through from its beginning again when more has come, so that it is held
    /// against the first as well; a longer one goes on where it was, or one that comes bit by bit would take for ever.
    private static let repeatedBytes = 64 << 10
    /// The digits of the longest length: beyond a gigabyte nothing is taken (`RESPLimits.maximumBytes`).
    private static let maximumDigits = 10

    /// What is known so far.
    package enum Progress: Equatable, Sendable {
        /// The reply has not ended.
        case more
        /// The reply is here, so many bytes long: so many entries, the last with the id in these bytes.
        case whole(bytes: Int, entries: Int, last: Range<Int>)
        /// The reply is no list of entries, or longer than is waited for.
        case other
    }

    /// CR and LF as a number of 16 bits in memory, and the header of a list of two.
    private static let lineEnd = UInt16(littleEndian: 0x0A0D)
    private static let listOfTwo = UInt32(littleEndian: 0x0A0D_322A)
    /// The lists before the first entry: the reply, the stream, its entries. And before the second: each has two.
    private static let listsBefore = 3
    private static let listsOfOne = listsBefore + 2

    /// How far the scanner is.
    private struct Place: Sendable {
        /// Where the next header begins.
        var position = 0
        /// Values still to come.
        var open = 1
        /// Lists so far.
        var lists = 0
        /// Where the last byte string begins and ends, and the one that stood before the last list: the id of the last
        /// entry.
        var text = (start: 0, end: 0)
        var id = (start: 0, end: 0)
    }

    private var place = Place()
    /// Where the entry begins that is gone through header by header.
    private var entryPlace: Place?
    private var entries = 0
    /// Where the first entry begins, and the names at each position once it has ended.
    private var firstEntry = 0
    private var shape: EntryShape?
    /// How many entries have been seen to have the same names as others at the positions that both have.
    private var alike = 1

    /// Makes a scanner for one reply.
    package init() {}

    /// Whether the fields at a position have the same name in all entries, of a reply that is whole; false where that is not
    /// known, as of a reply with an entry of over 16 fields, or a name of over 24 bytes.
    package var namesGoByPosition: Bool { self.alike == self.entries }

    /// Goes on through the reply's bytes, of which all that were shown before must be there again.
    package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Progress {
        // A copy, which the compiler keeps in registers.
        var scanner = self
        let progress = unsafe scanner.go(through: bytes)
        self = scanner
        return progress
    }

    @inline(__always)
    private mutating func go(through bytes: UnsafeRawBufferPointer) -> Progress {
        while self.place.open > 0 {
            guard let (length, next) = unsafe Self.header(bytes, self.place.position) else {
                return self.wait(bytes.count)
            }
            guard length >= 0 else { return .other }
            switch unsafe bytes[self.place.position] {
            case UInt8(ascii: "$"):
                self.place.text = (next, next &+ length)
                self.place.position = next &+ length &+ 2
                self.place.open &-= 1
            case UInt8(ascii: "*"):
                // Every other list is an entry.
                if self.place.lists >= Self.listsOfOne, self.place.lists & 1 == Self.listsOfOne & 1 {
                    if unsafe self.skipEntries(bytes) { continue }
                    self.entryPlace = self.place
                }
                self.place.lists &+= 1
                if self.place.lists == Self.listsBefore { (self.entries, self.firstEntry) = (length, next) }
                self.place.id = self.place.text
                self.place.position = next
                self.place.open &+= length &- 1
            default: return .other
            }
        }
        guard self.place.position <= bytes.count else { return self.wait(bytes.count) }
        // One stream of its name and its entries, each of which is a list that holds another.
        guard self.entries > 0, self.place.lists == Self.listsBefore &+ 2 &* self.entries else { return .other }
        return .whole(
            bytes: self.place.position, entries: self.entries, last: self.place.id.start..<self.place.id.end)
    }

    /// Goes through all entries from here on that have come whole, the faster the more names are known; false where there
    /// is none.
    @inline(never)
    private mutating func skipEntries(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let start = self.place.position
        var shape = unsafe self.shape ?? Self.learn(EntryShape(), bytes, self.firstEntry)
        while unsafe self.skipEntries(bytes, shape.names.span.extracting(first: shape.count)) {
            let longer = unsafe Self.learn(shape, bytes, self.place.position)
            // Never, as the names could be read; and it would be for ever.
            if longer.count == shape.count { break }
            shape = longer
        }
        self.shape = shape
        return self.place.position > start
    }

    /// The same, up to an entry with more names than are known where there is room for more: true then.
    @inline(__always)
    private mutating func skipEntries(_ bytes: UnsafeRawBufferPointer, _ names: Span<EntryShape.Name>) -> Bool {
        while self.place.open > 0, let entry = unsafe Self.entry(bytes, self.place.position, names) {
            let isLonger = entry.fields > names.count
            if entry.isAlike && isLonger && names.count < EntryShape.nameLimit { return true }
            self.alike &+= entry.isAlike && !isLonger ? 1 : 0
            self.place.id = (entry.start, entry.end)
            self.place.position = entry.next
            self.place.lists &+= 2
            self.place.open &-= 1
        }
        return false
    }

    /// Where the id of the entry that begins at an index begins and ends, how many fields it has, whether they have the names
    /// that are known for their positions, and where the next entry begins; nil where that is no list of a byte string and a
    /// list of byte strings, or has not come whole.
    @inline(__always)
    private static func entry(
        _ bytes: UnsafeRawBufferPointer, _ index: Int, _ names: Span<EntryShape.Name>
    ) -> (start: Int, end: Int, fields: Int, isAlike: Bool, next: Int)? {
        guard index &+ 4 <= bytes.count,
            unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self) == self.listOfTwo,
            let id = unsafe self.text(bytes, index &+ 4), id.end &+ 2 < bytes.count,
            unsafe bytes[id.end &+ 2] == UInt8(ascii: "*"),
            let (count, first) = unsafe self.header(bytes, id.end &+ 2), count >= 0, count & 1 == 0
        else { return nil }
        var next = first
        var isAlike = true
        for field in 0..<count / 2 {
            if field < names.count, let value = unsafe names[field].value(bytes, next) {
                guard let (length, start) = unsafe self.header(bytes, value), length >= 0 else { return nil }
                next = start &+ length &+ 2
            } else {
                guard let name = unsafe self.text(bytes, next), let value = unsafe self.text(bytes, name.end &+ 2)
                else { return nil }
                next = value.end &+ 2
                isAlike = isAlike && field >= names.count
            }
        }
        // A last value that has not come whole is one of an entry that has not.
        guard next <= bytes.count else { return nil }
        return (id.start, id.end, count / 2, isAlike, next)
    }

    /// Where the byte string that begins at an index has its bytes; nil where none begins there, or not whole.
    @inline(__always)
    private static func text(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> (start: Int, end: Int)? {
        guard index < bytes.count, unsafe bytes[index] == UInt8(ascii: "$"),
            let (length, start) = unsafe self.header(bytes, index), length >= 0
        else { return nil }
        return (start, start &+ length)
    }

    /// What is known, with the names of an entry that has come whole from the first position on of which none is; as before
    /// where it is no entry.
    @inline(never)
    private static func learn(_ known: EntryShape, _ bytes: UnsafeRawBufferPointer, _ index: Int) -> EntryShape {
        var shape = known
        if let id = unsafe self.text(bytes, index &+ 4),
            let (count, first) = unsafe self.header(bytes, id.end &+ 2)
        {
            var next = first
            for field in 0..<count / 2 {
                guard let name = unsafe self.text(bytes, next), name.end &+ 2 < bytes.count,
                    let value = unsafe self.text(bytes, name.end &+ 2)
                else { break }
                if field >= known.count { shape.append(next..<name.end &+ 3) }
                next = value.end &+ 2
            }
        }
        return shape
    }

    /// Waits for more than the bytes there are, so many.
    private mutating func wait(_ count: Int) -> Progress {
        if self.place.position > Self.maximumBytes { return .other }
        guard let start = self.entryPlace else { return .more }
        // Before the last of an entry's values as many are to come as before it, and then one less.
        let hasEnded = self.place.open < start.open && self.place.position <= count
        if !hasEnded, self.place.open >= start.open - 1, self.place.position <= start.position + Self.repeatedBytes {
            self.place = start
        }
        return .more
    }

    /// The length in the header that begins at an index and where the header ends; nil where it has not come whole, -1
    /// where it is none, as that of a value that is not there.
    @inline(__always)
    private static func header(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> (length: Int, next: Int)? {
        // Most lengths have one digit or two.
        if start &+ 5 <= bytes.count {
            let first = unsafe bytes[start &+ 1] &- UInt8(ascii: "0")
            if unsafe first <= 9 && self.isLineEnd(bytes, start &+ 2) { return (Int(first), start &+ 4) }
            let second = unsafe bytes[start &+ 2] &- UInt8(ascii: "0")
            if unsafe first <= 9 && second <= 9 && self.isLineEnd(bytes, start &+ 3) {
                return (Int(first) &* 10 &+ Int(second), start &+ 5)
            }
        }
        return unsafe self.anyHeader(bytes, start)
    }

    @inline(never)
    private static func anyHeader(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> (length: Int, next: Int)? {
        guard start < bytes.count else { return nil }
        var index = start &+ 1
        var length = 0
        while index < bytes.count {
            let digit = unsafe bytes[index] &- UInt8(ascii: "0")
            // No length that hiredis takes has more digits, and this number cannot overflow.
            guard digit <= 9, index &- start <= self.maximumDigits else { break }
            length = length &* 10 &+ Int(digit)
            index &+= 1
        }
        guard index &+ 1 < bytes.count else {
            let isBegun = unsafe index == bytes.count || bytes[index] == 0x0D
            return isBegun ? nil : (-1, index)
        }
        let isWhole = unsafe index > start &+ 1 && self.isLineEnd(bytes, index)
        return (isWhole ? length : -1, index &+ 2)
    }

    /// Whether CR and LF stand at an index, behind which there is one more byte at least.
    @inline(__always)
    private static func isLineEnd(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Bool {
        unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt16.self) == self.lineEnd
    }
}
