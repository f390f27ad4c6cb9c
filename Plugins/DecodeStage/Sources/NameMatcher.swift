/// Finds declared names among an entry's: entries of one stream mostly have the same fields in the same order, so it
/// first tries the name that stood at the same position in the entry before.
///
/// Its tables are plain memory: it runs for every field of every entry, where arrays would cost more in reference counts
/// and uniqueness checks than the comparison itself. They are made once, never grow and are freed with the matcher. No
/// index leaves them: positions are held against the table's length, and what it remembers comes from the search.
@safe
final class NameMatcher {
    /// Positions remembered; the fields of longer entries are searched for from there on, which is only slower.
    static let positionLimit = 64

    /// A name as it is compared: its length, its ends, and where it is for what lies between.
    private struct Name: BitwiseCopyable {
        var start: Int
        var count: Int
        var ends: Ends
    }

    /// The first and the last eight bytes, or fewer, of a text; up to 16 bytes they and the length say all of it.
    private struct Ends: BitwiseCopyable, Equatable {
        var first: UInt64
        var last: UInt64

        @inline(__always)
        init(_ text: UnsafeRawBufferPointer) {
            let count = text.count
            switch count {
            case 8...:
                self.first = unsafe text.loadUnaligned(as: UInt64.self)
                self.last = unsafe text.loadUnaligned(fromByteOffset: count &- 8, as: UInt64.self)
            case 4..<8:
                self.first = unsafe UInt64(text.loadUnaligned(as: UInt32.self))
                self.last = unsafe UInt64(text.loadUnaligned(fromByteOffset: count &- 4, as: UInt32.self))
            case 1..<4:
                self.first = unsafe UInt64(text[0]) | UInt64(text[count / 2]) << 8
                self.last = unsafe UInt64(text[count &- 1])
            default: (self.first, self.last) = (0, 0)
            }
        }
    }

    /// The names' bytes, one behind the other.
    private let bytes: UnsafeMutableBufferPointer<UInt8>
    private let names: UnsafeMutableBufferPointer<Name>
    /// The index of the name that stood at each position last.
    private let remembered: UnsafeMutableBufferPointer<Int>

    /// Makes a matcher; an entry's field is told by its index among them.
    init(names: [String]) {
        var bytes: [UInt8] = []
        let table = names.map { name in
            let text = Array(name.utf8)
            defer { bytes += text }
            return unsafe Name(start: bytes.count, count: text.count, ends: text.withUnsafeBytes { unsafe Ends($0) })
        }
        unsafe self.bytes = NameMatcher.copy(bytes)
        unsafe self.names = NameMatcher.copy(table)
        // The first guess is the first name, so without names nothing is remembered.
        let positions = names.isEmpty ? 0 : NameMatcher.positionLimit
        unsafe self.remembered = NameMatcher.copy(Array(repeating: 0, count: positions))
    }

    deinit {
        unsafe self.bytes.deallocate()
        unsafe self.names.deallocate()
        unsafe self.remembered.deallocate()
    }

    /// The index of the name that stood at `position` of the entry whose names were matched last, all of them declared, no
    /// more than are remembered, and this one among them.
    @inline(__always)
    func matched(at position: Int) -> Int {
        precondition(unsafe position < self.remembered.count, "a position that is not remembered")
        return unsafe self.remembered[position]
    }

    /// The index of the name that stands at `position` of the entry; nil where it is not declared.
    @inline(__always)
    func match(_ name: Span<UInt8>, at position: Int) -> Int? {
        if unsafe position < self.remembered.count {
            let index = unsafe self.remembered[position]
            if self.isName(index, name) { return index }
        }
        return self.search(name, at: position)
    }

    @inline(never)
    private func search(_ name: Span<UInt8>, at position: Int) -> Int? {
        for index in unsafe self.names.indices where self.isName(index, name) {
            if unsafe position < self.remembered.count { unsafe self.remembered[position] = index }
            return index
        }
        return nil
    }

    @inline(__always)
    private func isName(_ index: Int, _ name: Span<UInt8>) -> Bool {
        let known = unsafe self.names[index]
        guard known.count == name.count else { return false }
        return unsafe name.withUnsafeBytes { (text) in
            guard unsafe known.ends == Ends(text) else { return false }
            return unsafe known.count <= 16 || self.isMiddle(of: known, text)
        }
    }

    /// Compares what lies between the ends, eight bytes at a time; the last of them may be of an end.
    @inline(__always)
    private func isMiddle(of name: Name, _ text: UnsafeRawBufferPointer) -> Bool {
        let known = unsafe UnsafeRawBufferPointer(
            rebasing: UnsafeRawBufferPointer(self.bytes)[name.start..<(name.start &+ name.count)])
        var offset = 8
        while offset < name.count &- 8 {
            let word = unsafe known.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            guard unsafe word == text.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
            offset &+= 8
        }
        return true
    }

    private static func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutableBufferPointer<T> {
        let copy = UnsafeMutableBufferPointer<T>.allocate(capacity: values.count)
        _ = unsafe copy.initialize(from: values)
        return unsafe copy
    }
}
