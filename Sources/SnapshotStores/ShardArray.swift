import StageKit
import Synchronization

/// A place for a record: the record and the part of its key's hash that finds it, on one cache line.
struct Slot: BitwiseCopyable {
    /// The upper 48 bits of the hash, below them the record's size class in units.
    var tag: UInt64
    /// The record, nil in an empty slot.
    var record: PackedRecord?

    /// A slot without a record.
    static var empty: Slot { Slot(tag: 0, record: nil) }

    /// Makes a slot for a record of a size class.
    @inline(__always)
    init(hash: UInt64, units: UInt16, record: PackedRecord) {
        self.tag = hash & ~0xFFFF | UInt64(units)
        self.record = record
    }

    private init(tag: UInt64, record: PackedRecord?) {
        self.tag = tag
        self.record = record
    }

    /// The record's size class.
    @inline(__always)
    var units: UInt16 { UInt16(truncatingIfNeeded: self.tag) }

    /// Whether the record may be that of a key with this hash.
    @inline(__always)
    func matches(_ hash: UInt64) -> Bool { (self.tag ^ hash) &>> 16 == 0 }
}

/// The memory of a table's slots, 64-byte aligned so that four slots share a cache line; every access is checked.
///
/// Invariant: `base` holds `capacity` slots, all of them written, from `init` until `free`.
@safe
struct SlotMemory {
    private let base: UnsafeMutablePointer<Slot>
    /// The number of slots.
    let capacity: Int

    /// Makes `capacity` empty slots.
    init(capacity: Int) {
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: capacity * MemoryLayout<Slot>.stride, alignment: 64)
        unsafe self.base = bytes.initializeMemory(as: Slot.self, repeating: .empty, count: capacity)
        self.capacity = capacity
    }

    /// A slot.
    @inline(__always)
    subscript(index: Int) -> Slot {
        get {
            precondition(index >= 0 && index < self.capacity, "no slot at that index")
            return unsafe self.base[index]
        }
        nonmutating set {
            precondition(index >= 0 && index < self.capacity, "no slot at that index")
            unsafe self.base[index] = newValue
        }
    }

    /// Starts to fetch a slot, as `PackedRecord.fetch` does.
    @inline(__always)
    func fetch(_ index: Int) {
        precondition(index >= 0 && index < self.capacity, "no slot at that index")
        let slot = unsafe UnsafeMutableRawPointer(self.base + index)
        _ = unsafe slot.assumingMemoryBound(to: Atomic<UInt8>.self).pointee.load(ordering: .relaxed)
    }

    /// Gives the memory back; the slots must not be used again.
    func free() {
        unsafe self.base.deallocate()
    }
}

/// The shards: tables of which each has a lock of its own, on a cache line of its own.
///
/// Who may do what:
/// - A table is changed, and records in its slots are written or freed, with the store's `changes` lock **and** the
///   shard's lock held (`change`).
/// - A table and its records are read with one of the two held: look-ups hold the shard's (`read`), writers hold
///   `changes` (`readChanging`). So writers look for what they need without keeping look-ups waiting.
///
/// The type is shared between threads although it holds pointers: these two rules, which its callers keep, are why
/// that is right. The memory of the shards is written by `init`, lives as long as the array and does not move.
@safe
struct ShardArray: ~Copyable, @unchecked Sendable {
    /// The distance between shards: a cache line, so that cores which use different shards do not disturb each other.
    private static let stride = 64
    /// A shard's table lies behind its lock. The two are reached by pointers of their own, as one is used by several
    /// threads at once and the other never is.
    private static let tableOffset = 16

    private let base: UnsafeMutableRawPointer
    /// The number of shards, a power of two.
    let count: Int

    /// Makes empty shards.
    init(count: Int) {
        precondition(count > 0 && count & (count - 1) == 0, "the number of shards is a power of two")
        precondition(MemoryLayout<OrderedMutex<Void>>.size <= ShardArray.tableOffset, "a lock fits before its table")
        precondition(
            ShardArray.tableOffset + MemoryLayout<SlotTable>.size <= ShardArray.stride, "a shard fits its cache line")
        unsafe self.base = .allocate(byteCount: count * ShardArray.stride, alignment: ShardArray.stride)
        self.count = count
        for index in 0..<count {
            unsafe self.lock(index).initialize(to: OrderedMutex(()))
            unsafe self.table(index).initialize(to: SlotTable())
        }
    }

    deinit {
        for index in 0..<self.count {
            unsafe self.table(index).pointee.removeAll()
            unsafe self.table(index).deinitialize(count: 1)
            unsafe self.lock(index).deinitialize(count: 1)
        }
        unsafe self.base.deallocate()
    }

    /// The shard of a hash: its lowest bits, as the table goes by the highest.
    @inline(__always)
    func index(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (self.count &- 1) }

    /// Lends a shard's table to a look-up, under the shard's lock; `body` must be short.
    @inline(__always)
    func read<E: Error>(_ index: Int, _ body: (borrowing SlotTable) throws(E) -> Void) throws(E) {
        try unsafe self.lock(index).pointee.withLock { (_) throws(E) in
            try body(unsafe self.table(index).pointee)
        }
    }

    /// Lends a shard's table to a writer that holds `changes`.
    @inline(__always)
    func readChanging<R>(_ index: Int, _ body: (borrowing SlotTable) -> R) -> R {
        body(unsafe self.table(index).pointee)
    }

    /// Lets a writer that holds `changes` change a shard's table, under the shard's lock; `body` must be short.
    @inline(__always)
    func change(_ index: Int, _ body: (inout SlotTable) -> Void) {
        unsafe self.lock(index).pointee.withLock { _ in
            body(&(unsafe self.table(index).pointee))
        }
    }

    @inline(__always)
    private func lock(_ index: Int) -> UnsafeMutablePointer<OrderedMutex<Void>> {
        unsafe self.address(index).assumingMemoryBound(to: OrderedMutex<Void>.self)
    }

    @inline(__always)
    private func table(_ index: Int) -> UnsafeMutablePointer<SlotTable> {
        unsafe (self.address(index) + ShardArray.tableOffset).assumingMemoryBound(to: SlotTable.self)
    }

    @inline(__always)
    private func address(_ index: Int) -> UnsafeMutableRawPointer {
        precondition(index >= 0 && index < self.count, "no shard at that index")
        return unsafe self.base + index &* ShardArray.stride
    }
}
