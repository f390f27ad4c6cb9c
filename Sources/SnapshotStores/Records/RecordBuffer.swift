/// Private memory in which a record is packed before it goes into the store's.
///
/// Invariants: `base` has `capacity` bytes, owned by whoever made the buffer, who calls `free` once; the first `count` are
/// a record's, written by a `RecordPen` that was made for them.
@unsafe
struct RecordBuffer {
    /// The first capacity: ten times a session.
    private static let firstCapacity = 1024
    /// Bytes behind a record that are written too: a copy goes by two words at a time.
    private static let slack = 2 * SharedWords.stride

    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private let limit: Int
    private var count = 0

    /// Makes an empty buffer for up to `limit` bytes.
    init(limit: Int) {
        unsafe self.limit = limit
        unsafe self.capacity = Self.firstCapacity
        unsafe self.base = .allocate(byteCount: Self.firstCapacity, alignment: SharedWords.stride)
    }

    /// Gives the memory back.
    func free() {
        unsafe self.base.deallocate()
    }

    /// A pen at the memory's begin that may write so many bytes, nil where they are above the limit.
    @inline(__always)
    mutating func begin(_ bytes: Int) -> RecordPen? {
        let needed = unsafe bytes &+ Self.slack
        if unsafe needed > self.capacity {
            guard unsafe bytes <= self.limit else { return nil }
            unsafe self.grow(to: needed)
        }
        return unsafe RecordPen(self.base)
    }

    /// Ends the record that a pen has written since the last `begin`; returns its number of bytes.
    @inline(__always)
    mutating func end(_ pen: RecordPen) -> Int {
        unsafe self.count = pen.next - UnsafeMutableRawPointer(self.base)
        unsafe pen.next.storeBytes(of: (0, 0), as: (UInt64, UInt64).self)
        return unsafe self.count
    }

    /// The record and zeros behind it, up to a multiple of two words.
    @inline(__always)
    var padded: UnsafeRawBufferPointer {
        let size = unsafe (self.count &+ Self.slack &- 1) & ~(Self.slack &- 1)
        return unsafe UnsafeRawBufferPointer(start: self.base, count: size)
    }

    @inline(never)
    private mutating func grow(to needed: Int) {
        unsafe self.capacity = max(needed, 2 * self.capacity)
        unsafe self.base.deallocate()
        unsafe self.base = .allocate(byteCount: self.capacity, alignment: SharedWords.stride)
    }
}
