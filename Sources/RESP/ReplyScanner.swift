/// Finds the end of the reply to a read of one stream, and the id of its last entry, by skipping from length to length
/// before any value is read, so that the next read can be requested meanwhile.
///
/// Pure: each call gets all bytes from the reply's first on and continues where the last one stopped. The result
/// is only a guess for acting early: the scanner knows nothing but lists and byte strings, and the caller must compare
/// its result with the parsed reply.
package struct ReplyScanner: Sendable {
    /// The longest reply that is waited for, because the complete input of such a reply is kept in memory (4 MiB: an
    /// XREAD COUNT 16384).
    static let maximumBytes = 4 << 20
    /// An incomplete entry of up to this size is scanned again from its beginning when more bytes have arrived, so that
    /// its names are compared too. In a longer one the scan continues at its last header; otherwise the scan of one that
    /// arrives in small pieces would take quadratic time.
    private static let repeatedBytes = 64 << 10
    /// The maximum number of digits of a length: nothing above a gigabyte is accepted (`RESPLimits.maximumBytes`).
    private static let maximumDigits = 10

    /// The result so far.
    package enum Progress: Equatable, Sendable {
        /// The reply is incomplete.
        case more
        /// The reply is complete: its size in bytes, its number of entries, and the range of the last entry's id.
        case whole(bytes: Int, entries: Int, last: Range<Int>)
        /// The reply is not a list of entries, or longer than `maximumBytes`.
        case other
    }

    /// CR LF as a 16-bit integer as loaded from memory, and the header of a list of two elements.
    private static let lineEnd = UInt16(littleEndian: 0x0A0D)
    private static let listOfTwo = UInt32(littleEndian: 0x0A0D_322A)
    /// The number of lists before the first entry (the reply, the stream, its entries), and before the second: each
    /// entry has two.
    private static let listsBefore = 3
    private static let listsOfOne = listsBefore + 2

    /// The progress of the scan.
    private struct State: Sendable {
        /// The offset of the next header.
        var position = 0
        /// The number of values still to come.
        var open = 1
        /// The number of lists so far.
        var lists = 0
        /// The range of the last byte string, and of the one before the last list, which is the id of the last entry.
        var text = (start: 0, end: 0)
        var id = (start: 0, end: 0)
    }

    private var state = State()
    /// The progress at the start of the entry that is scanned header by header.
    private var entryState: State?
    private var entries = 0
    /// The offset of the first entry, and the names by position once that entry is complete.
    private var firstEntry = 0
    private var shape: EntryShape?
    /// The number of entries known to have the same names as the others at all common positions.
    private var alike = 1

    /// Creates a scanner for one reply.
    package init() {}

    /// Whether the fields at each position have the same name in all entries of a complete reply; `false` if this is
    /// not known, as for a reply with an entry of more than 16 fields or a name of more than 24 bytes.
    package var namesGoByPosition: Bool { self.alike == self.entries }

    /// Continues the scan; `bytes` must begin with all bytes that were passed before.
    package mutating func scan(_ bytes: UnsafeRawBufferPointer) -> Progress {
        // A local copy, which the compiler keeps in registers.
        var scanner = self
        let progress = unsafe scanner.go(through: bytes)
        self = scanner
        return progress
    }

    @inline(__always)
    private mutating func go(through bytes: UnsafeRawBufferPointer) -> Progress {
        while self.state.open > 0 {
            guard let (length, next) = unsafe Self.header(bytes, self.state.position) else {
                return self.wait(bytes.count)
            }
            guard length >= 0 else { return .other }
            switch unsafe bytes[self.state.position] {
            case UInt8(ascii: "$"):
                self.state.text = (next, next &+ length)
                self.state.position = next &+ length &+ 2
                self.state.open &-= 1
            case UInt8(ascii: "*"):
                // Every second list is an entry.
                if self.state.lists >= Self.listsOfOne, self.state.lists & 1 == Self.listsOfOne & 1 {
                    if unsafe self.skipEntries(bytes) { continue }
                    self.entryState = self.state
                }
                self.state.lists &+= 1
                if self.state.lists == Self.listsBefore { (self.entries, self.firstEntry) = (length, next) }
                self.state.id = self.state.text
                self.state.position = next
                self.state.open &+= length &- 1
            default: return .other
            }
        }
        guard self.state.position <= bytes.count else { return self.wait(bytes.count) }
        // One stream with its name and its entries, each of which is a list that contains another.
        guard self.entries > 0, self.state.lists == Self.listsBefore &+ 2 &* self.entries else { return .other }
        return .whole(
            bytes: self.state.position, entries: self.entries, last: self.state.id.start..<self.state.id.end)
    }

    /// Skips all complete entries from the current one on, faster if more names are known; returns `false` if there is
    /// none.
    @inline(never)
    private mutating func skipEntries(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let start = self.state.position
        var shape = unsafe self.shape ?? Self.learn(EntryShape(), bytes, self.firstEntry)
        while unsafe self.skipEntries(bytes, shape.names.span.extracting(first: shape.count)) {
            let longer = unsafe Self.learn(shape, bytes, self.state.position)
            // Cannot happen, because the names were readable; without this check the loop would not end.
            if longer.count == shape.count { break }
            shape = longer
        }
        self.shape = shape
        return self.state.position > start
    }

    /// Skips entries with these names; returns `true` if it stops at an entry with more names and there is room for
    /// them.
    @inline(__always)
    private mutating func skipEntries(_ bytes: UnsafeRawBufferPointer, _ names: Span<EntryShape.Name>) -> Bool {
        while self.state.open > 0, let entry = unsafe Self.entry(bytes, self.state.position, names) {
            let isLonger = entry.fields > names.count
            if entry.isAlike && isLonger && names.count < EntryShape.nameLimit { return true }
            self.alike &+= entry.isAlike && !isLonger ? 1 : 0
            self.state.id = (entry.start, entry.end)
            self.state.position = entry.next
            self.state.lists &+= 2
            self.state.open &-= 1
        }
        return false
    }

    /// Scans the entry at `index`: the range of its id, its number of fields, whether they have the names known for
    /// their positions, and the offset of the next entry. Returns `nil` if it is incomplete or is not a list of a byte
    /// string and a list of byte strings.
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
        // If the last value is incomplete, so is the entry.
        guard next <= bytes.count else { return nil }
        return (id.start, id.end, count / 2, isAlike, next)
    }

    /// Returns the range of the byte string at `index` without its header, or `nil` if there is no complete header of
    /// one.
    @inline(__always)
    private static func text(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> (start: Int, end: Int)? {
        guard index < bytes.count, unsafe bytes[index] == UInt8(ascii: "$"),
            let (length, start) = unsafe self.header(bytes, index), length >= 0
        else { return nil }
        return (start, start &+ length)
    }

    /// Adds the names of the complete entry at `index` from the first unknown position on; returns `known` if it is no
    /// entry.
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

    /// Stops the scan, which needs more than the `count` bytes passed.
    private mutating func wait(_ count: Int) -> Progress {
        if self.state.position > Self.maximumBytes { return .other }
        guard let start = self.entryState else { return .more }
        // `open` is the same before the last of an entry's values as before the entry, and one less after it.
        let hasEnded = self.state.open < start.open && self.state.position <= count
        if !hasEnded, self.state.open >= start.open - 1, self.state.position <= start.position + Self.repeatedBytes {
            self.state = start
        }
        return .more
    }

    /// Returns the length in the header at `start` and the offset after the header. Returns `nil` if the header is
    /// incomplete, and a length of -1 if the header has no valid length, as that of a null.
    @inline(__always)
    private static func header(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> (length: Int, next: Int)? {
        // Most lengths have one or two digits.
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
            // hiredis accepts no length with more digits, and this number cannot overflow.
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

    /// Whether CR LF is at `index`; at least one byte must follow the one at `index`.
    @inline(__always)
    private static func isLineEnd(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> Bool {
        unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt16.self) == self.lineEnd
    }
}
