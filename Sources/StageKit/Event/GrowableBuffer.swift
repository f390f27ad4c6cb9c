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

    /// Reserves room for `additional` more values; the base may move.
    @inlinable
    mutating func reserve(_ additional: Int) {
        if unsafe self.count + additional > self.capacity { unsafe self.grow(to: self.count + additional) }
    }

    /// Appends a value.
    @inlinable
    mutating func append(_ element: Element) {
        unsafe self.reserve(1)
        unsafe self.base[self.count] = element
        unsafe self.count += 1
    }

    /// Doubles the capacity, so that appending takes amortised constant time.
    @usableFromInline
    mutating func grow(to needed: Int) {
        let newCapacity = unsafe Swift.max(needed, self.capacity * 2)
        let moved = unsafe Self.allocate(newCapacity)
        unsafe moved.update(from: self.base, count: self.count)
        unsafe self.free()
        unsafe self.base = moved
        unsafe self.capacity = newCapacity
    }

    /// Releases the memory; the buffer must not be used again.
    func free() {
        unsafe releaseMemory(self.base)
    }

    /// Allocates with `malloc` itself, because the memory is exchanged with C code.
    private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Element> {
        guard let memory = unsafe malloc(Swift.max(1, capacity) * MemoryLayout<Element>.stride) else {
            preconditionFailure("no memory for \(capacity) values")
        }
        return unsafe memory.bindMemory(to: Element.self, capacity: capacity)
    }
}

/// Calls `free(3)`, whose name is hidden by the buffer's own method.
private func releaseMemory(_ base: UnsafeMutableRawPointer) {
    unsafe free(base)
}
