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

    /// The names' bytes, one behind the other.
    private let bytes: UnsafeMutableBufferPointer<UInt8>
    /// Where each name ends in `bytes`, preceded by a 0: name `i` is `ends[i] ..< ends[i + 1]`.
    private let ends: UnsafeMutableBufferPointer<Int>
    /// The index of the name that stood at each position last.
    private let remembered: UnsafeMutableBufferPointer<Int>

    /// Makes a matcher; an entry's field is told by its index among them.
    init(names: [String]) {
        let texts = names.map { Array($0.utf8) }
        let ends = texts.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
        unsafe self.bytes = NameMatcher.copy(Array(texts.joined()))
        unsafe self.ends = NameMatcher.copy(ends)
        // The first guess is the first name, so without names nothing is remembered.
        let positions = names.isEmpty ? 0 : NameMatcher.positionLimit
        unsafe self.remembered = NameMatcher.copy(Array(repeating: 0, count: positions))
    }

    deinit {
        unsafe self.bytes.deallocate()
        unsafe self.ends.deallocate()
        unsafe self.remembered.deallocate()
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
        for index in unsafe self.ends.indices.dropLast() where self.isName(index, name) {
            if unsafe position < self.remembered.count { unsafe self.remembered[position] = index }
            return index
        }
        return nil
    }

    @inline(__always)
    private func isName(_ index: Int, _ name: Span<UInt8>) -> Bool {
        let start = unsafe self.ends[index]
        let end = unsafe self.ends[index + 1]
        guard end - start == name.count else { return false }
        let known = unsafe UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(self.bytes)[start..<end])
        return unsafe name.withUnsafeBytes { unsafe NameMatcher.areEqual(known, $0) }
    }

    /// Compares eight bytes at a time; both have the same length.
    @inline(__always)
    private static func areEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        let count = left.count
        guard count >= 8 else {
            var offset = 0
            while offset < count, unsafe left[offset] == right[offset] { offset += 1 }
            return offset == count
        }
        var offset = 0
        while offset + 8 <= count {
            let word = unsafe left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            guard unsafe word == right.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
            offset += 8
        }
        // The last eight bytes, some of them for the second time.
        let word = unsafe left.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        return unsafe word == right.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
    }

    private static func copy<T: BitwiseCopyable>(_ values: [T]) -> UnsafeMutableBufferPointer<T> {
        let copy = UnsafeMutableBufferPointer<T>.allocate(capacity: values.count)
        _ = unsafe copy.initialize(from: values)
        return unsafe copy
    }
}
