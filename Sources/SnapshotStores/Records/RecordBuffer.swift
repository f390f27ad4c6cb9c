/// Private memory in which a record is packed before it is stored.
///
/// Invariants: `base` has `capacity` bytes, owned by the creator of the buffer, who calls `free` once; the first
/// `count` bytes are those of a record, written by one of its `RecordPen`s.
@unsafe
struct RecordBuffer {
    /// The first capacity: ten times a session.
    private static let firstCapacity = 1024
    /// Bytes after a record that are written as well, because a copy moves two words at a time.
    private static let slack = 2 * SharedWords.stride

    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private let limit: Int
    private var count = 0

    /// Creates an empty buffer for up to `limit` bytes.
    init(limit: Int) {
        unsafe self.limit = limit
        unsafe self.capacity = Self.firstCapacity
        unsafe self.base = .allocate(byteCount: Self.firstCapacity, alignment: SharedWords.stride)
    }

    /// Frees the memory.
    func free() {
        unsafe self.base.deallocate()
    }

    /// A pen that writes from the start of the memory up to its end.
    @inline(__always)
    var pen: RecordPen { unsafe RecordPen(self.base, end: self.base + self.capacity - Self.slack) }

    /// Ensures capacity for this many bytes and discards the content; returns false if the limit is exceeded.
    mutating func reserve(_ bytes: Int) -> Bool {
        let needed = unsafe bytes + Self.slack
        if unsafe needed <= self.capacity { return true }
        guard unsafe bytes <= self.limit else { return false }
        unsafe self.capacity = max(needed, 2 * self.capacity)
        unsafe self.base.deallocate()
        unsafe self.base = .allocate(byteCount: self.capacity, alignment: SharedWords.stride)
        return true
    }

    /// Ends the record that a pen has written; returns its size in bytes.
    @inline(__always)
    mutating func end(_ pen: RecordPen) -> Int {
        unsafe self.count = pen.next - UnsafeMutableRawPointer(self.base)
        unsafe pen.next.storeBytes(of: (0, 0), as: (UInt64, UInt64).self)
        return unsafe self.count
    }

    /// Corrects the number of fields at the start of the record.
    @inline(__always)
    func setFields(_ count: UInt8) {
        unsafe self.base.storeBytes(of: count, toByteOffset: PackedRecord.countOffset, as: UInt8.self)
    }

    /// The record with zeros after it, up to a multiple of two words.
    @inline(__always)
    var padded: UnsafeRawBufferPointer {
        let size = unsafe (self.count &+ Self.slack &- 1) & ~(Self.slack &- 1)
        return unsafe UnsafeRawBufferPointer(start: self.base, count: size)
    }
}
