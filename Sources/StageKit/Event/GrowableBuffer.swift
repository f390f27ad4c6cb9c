#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// A growing buffer of plain values in malloc'ed memory: an `Array` without reference counts and uniqueness checks.
///
/// Invariants: `count <= capacity`; `base` holds `capacity` values of which the first `count` were written; the owner
/// of the buffer calls `free()` once, and no copy of the buffer is used after it or after a growing call on another
/// copy.
@unsafe
@usableFromInline
struct GrowableBuffer<Element: BitwiseCopyable> {
    @usableFromInline var base: UnsafeMutablePointer<Element>
    @usableFromInline var count = 0
    @usableFromInline var capacity: Int

    init(capacity: Int) {
        unsafe self.base = Self.allocate(capacity)
        unsafe self.capacity = capacity
    }

    /// Makes room for `additional` more values; the base may move.
    @inlinable
    mutating func reserve(_ additional: Int) {
        if unsafe self.count + additional > self.capacity { unsafe self.grow(to: self.count + additional) }
    }

    /// Adds one value at the end.
    @inlinable
    mutating func append(_ element: Element) {
        unsafe self.reserve(1)
        unsafe self.base[self.count] = element
        unsafe self.count += 1
    }

    /// Doubles, so that adding stays cheap however much comes.
    @usableFromInline
    mutating func grow(to needed: Int) {
        let newCapacity = unsafe Swift.max(needed, self.capacity * 2)
        let moved = unsafe Self.allocate(newCapacity)
        unsafe moved.update(from: self.base, count: self.count)
        unsafe self.free()
        unsafe self.base = moved
        unsafe self.capacity = newCapacity
    }

    /// Gives the memory back; the buffer must not be used again.
    func free() {
        unsafe releaseMemory(self.base)
    }

    /// Memory from `malloc` itself, not from an allocator that merely uses it: it is exchanged with C code.
    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Element> {
        guard let memory = unsafe malloc(Swift.max(1, capacity) * MemoryLayout<Element>.stride) else {
            preconditionFailure("no memory for \(capacity) values")
        }
        return unsafe memory.bindMemory(to: Element.self, capacity: capacity)
    }
}

/// `free(3)`, whose name the buffer's own method hides.
private func releaseMemory(_ base: UnsafeMutableRawPointer) {
    unsafe free(base)
}
