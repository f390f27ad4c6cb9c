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

    /// Where the next header begins.
    private var position = 0
    /// Values still to come.
    private var open = 1
    /// Lists so far.
    private var lists = 0
    private var entries = 0
    /// Where the last byte string begins and ends, and the one that stood before the last list: the id of the last entry.
    private var text = (start: 0, end: 0)
    private var id = (start: 0, end: 0)
    /// Where the first entry begins, and its names once it has ended.
    private var firstEntry = 0
    private var shape: EntryShape?

    /// Makes a scanner for one reply.
    package init() {}

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
        while self.open > 0 {
            guard let (length, next) = unsafe Self.header(bytes, self.position) else { return self.wait() }
            guard length >= 0 else { return .other }
            switch unsafe bytes[self.position] {
            case UInt8(ascii: "$"):
                self.text = (next, next &+ length)
                self.position = next &+ length &+ 2
                self.open &-= 1
            case UInt8(ascii: "*"):
                if unsafe self.lists >= Self.listsOfOne && self.skipEntries(bytes) { continue }
                self.lists &+= 1
                if self.lists == Self.listsBefore { (self.entries, self.firstEntry) = (length, next) }
                self.id = self.text
                self.position = next
                self.open &+= length &- 1
            default: return .other
            }
        }
        guard self.position <= bytes.count else { return self.wait() }
        // One stream of its name and its entries, each of which is a list that holds another.
        guard self.entries > 0, self.lists == Self.listsBefore &+ 2 &* self.entries else { return .other }
        return .whole(bytes: self.position, entries: self.entries, last: self.id.start..<self.id.end)
    }

    /// Goes through all entries from here on that have the first one's names and have come whole; false where there is none.
    @inline(never)
    private mutating func skipEntries(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let shape = unsafe self.shape ?? self.learn(bytes)
        let names = shape.names.span
        let start = self.position
        while self.open > 0, let entry = unsafe Self.entry(bytes, self.position, names) {
            self.id = (entry.start, entry.end)
            self.position = entry.next
            self.lists &+= 2
            self.open &-= 1
        }
        return self.position > start
    }

    /// Where the id of the entry that begins at an index begins and ends, and where the next entry begins; nil where that
    /// is no list of a byte string and a list of byte strings, or has not come whole.
    @inline(__always)
    private static func entry(
        _ bytes: UnsafeRawBufferPointer, _ index: Int, _ names: Span<EntryShape.Name>
    ) -> (start: Int, end: Int, next: Int)? {
        guard index &+ 4 <= bytes.count,
            unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self) == self.listOfTwo,
            let id = unsafe self.text(bytes, index &+ 4), id.end &+ 2 < bytes.count,
            unsafe bytes[id.end &+ 2] == UInt8(ascii: "*"),
            let (count, first) = unsafe self.header(bytes, id.end &+ 2), count >= 0, count & 1 == 0
        else { return nil }
        var next = first
        for field in 0..<count / 2 {
            if field < names.count, let value = unsafe names[field].value(bytes, next) {
                guard let (length, start) = unsafe self.header(bytes, value), length >= 0 else { return nil }
                next = start &+ length &+ 2
            } else {
                guard let name = unsafe self.text(bytes, next), let value = unsafe self.text(bytes, name.end &+ 2)
                else { return nil }
                next = value.end &+ 2
            }
        }
        return (id.start, id.end, next)
    }

    /// Where the byte string that begins at an index has its bytes; nil where none begins there, or not whole.
    @inline(__always)
    private static func text(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> (start: Int, end: Int)? {
        guard index < bytes.count, unsafe bytes[index] == UInt8(ascii: "$"),
            let (length, start) = unsafe self.header(bytes, index), length >= 0
        else { return nil }
        return (start, start &+ length)
    }

    /// Notes the names of the first entry, which has come whole; none where it is no entry.
    @inline(never)
    private mutating func learn(_ bytes: UnsafeRawBufferPointer) -> EntryShape {
        var shape = EntryShape()
        if let id = unsafe Self.text(bytes, self.firstEntry &+ 4),
            let (count, first) = unsafe Self.header(bytes, id.end &+ 2)
        {
            var next = first
            for _ in 0..<count / 2 {
                guard let name = unsafe Self.text(bytes, next), name.end &+ 2 < bytes.count,
                    let value = unsafe Self.text(bytes, name.end &+ 2)
                else { break }
                shape.append(next..<name.end &+ 3)
                next = value.end &+ 2
            }
        }
        self.shape = shape
        return shape
    }

    private func wait() -> Progress {
        self.position > Self.maximumBytes ? .other : .more
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
