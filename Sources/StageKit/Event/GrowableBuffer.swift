/// A malloc'ed, growing run of plain values: what `Array` is, without reference counts and uniqueness checks on the way.
///
/// Invariants: `count <= capacity`; `base` holds `capacity` values of which the first `count` were written; whoever owns
/// the buffer calls `free()` once, and no copy of the buffer is used after it or after a growing call on another copy.
@unsafe
@usableFromInline
struct GrowableBuffer<Element: BitwiseCopyable> {
    @usableFromInline var base: UnsafeMutablePointer<Element>
    @usableFromInline var count = 0
    @usableFromInline var capacity: Int

    init(capacity: Int) {
        unsafe self.base = .allocate(capacity: capacity)
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
        let moved = UnsafeMutablePointer<Element>.allocate(capacity: newCapacity)
        unsafe moved.update(from: self.base, count: self.count)
        unsafe self.base.deallocate()
        unsafe self.base = moved
        unsafe self.capacity = newCapacity
    }

    /// Gives the memory back; the buffer must not be used again.
    func free() {
        unsafe self.base.deallocate()
    }
}
