/// Finds the declared names among an entry's field names. Entries of one stream usually have the same fields in the
/// same order, so the matcher first tries the name that the previous entry had at the same position.
///
/// The tables are plain memory because the matcher runs for every field of every entry: with arrays, reference counts
/// and uniqueness checks would cost more than the comparison itself. The tables are created once, never grow and are
/// freed with the matcher. All accesses are in bounds: positions are compared with the table's length, and the
/// remembered indices come from the search.
@safe
final class NameMatcher {
    /// The number of remembered positions. Names at later positions are always searched for, which is only slower.
    static let positionLimit = 64

    /// A name as it is compared: its length, its ends, and the offset of its bytes for the part between the ends.
    private struct Name: BitwiseCopyable {
        var start: Int
        var count: Int
        var ends: Ends
    }

    /// The first and the last eight bytes of a text, or fewer. Together with the length they identify any text of up to
    /// 16 bytes.
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

    /// The bytes of all names, concatenated.
    private let bytes: UnsafeMutableBufferPointer<UInt8>
    private let names: UnsafeMutableBufferPointer<Name>
    /// The index of the most recent name at each position.
    private let remembered: UnsafeMutableBufferPointer<Int>

    /// Creates a matcher, whose results are indices into `names`.
    init(names: [String]) {
        var bytes: [UInt8] = []
        let table = names.map { name in
            let text = Array(name.utf8)
            defer { bytes += text }
            return unsafe Name(start: bytes.count, count: text.count, ends: text.withUnsafeBytes { unsafe Ends($0) })
        }
        unsafe self.bytes = NameMatcher.copy(bytes)
        unsafe self.names = NameMatcher.copy(table)
        // The first guess is index 0, so without names no positions are remembered.
        let positions = names.isEmpty ? 0 : NameMatcher.positionLimit
        unsafe self.remembered = NameMatcher.copy(Array(repeating: 0, count: positions))
    }

    deinit {
        unsafe self.bytes.deallocate()
        unsafe self.names.deallocate()
        unsafe self.remembered.deallocate()
    }

    /// Returns the index of the name at `position` of the entry that was matched last. All names of that entry must be
    /// declared, it must not have more fields than positions are remembered, and `position` must be within it.
    @inline(__always)
    func matched(at position: Int) -> Int {
        precondition(unsafe position < self.remembered.count, "a position that is not remembered")
        return unsafe self.remembered[position]
    }

    /// Returns the index of the name at `position` of the entry, or `nil` if it is not declared.
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

    /// Compares the part between the ends, eight bytes at a time; the last comparison may overlap the end.
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
