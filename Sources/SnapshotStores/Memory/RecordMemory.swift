import LocalFiles
import Synchronization

/// The location of a record.
struct RecordLocation: Equatable, Sendable {
    /// The number of its first unit, never 0.
    let unit: UInt32
    /// How much memory it has.
    let sizeClass: SizeClass
}

/// The memory of a store's records: blocks are allocated from the start on, and returned to the free list of their
/// class.
///
/// Invariant: a block that was ever allocated is in committed memory. A thread that has a slot's word, however old, may
/// therefore load from its location; the shard's version (`ShardArray`) shows whether that is still the key's record.
struct RecordMemory: ~Copyable {
    /// Units have numbers of 32 bits, which comes to 64 GiB: more than half a billion sessions.
    static let maximumBytes = 1 << 36
    /// The memory is committed in steps of this size: few system calls, and committed memory takes no space before it
    /// is used. Large pages are not requested: a new one is cleared immediately, which evicts a writer's data from its
    /// caches. With them, filling a store was a third slower, updates an eighth slower, and lookups a tenth faster.
    private static let step = 2 << 20
    /// The first unit is never allocated, so that no record's slot is 0.
    private static let firstUnit = 1
    /// Words in a cache line.
    private static let lineWords = 8
    /// Words of a long record that are prefetched: more would evict data that others are waiting for.
    private static let fetchedWords = 4 * lineWords

    private let memory: ReservedMemory
    private let words: SharedWords
    private let committed = Atomic<Int>(0)
    /// The word of a shared file's header that holds `committed` for other processes, or `nil`.
    private let published: SharedWords?

    /// Reserves up to `maximumBytes`; nothing is used yet. The first word of `published` always holds the number of
    /// committed bytes.
    init(bytes: Int = maximumBytes, published: SharedWords? = nil) {
        self.published = published
        self.memory = ReservedMemory(size: bytes, step: Self.step)
        self.words = self.memory.words
    }

    /// The capacity in bytes.
    var limit: Int { self.memory.size }

    /// The record at a location.
    @inline(__always)
    func record(_ location: RecordLocation) -> PackedRecord {
        unsafe PackedRecord(self.words(of: location).unsafeBytes)
    }

    /// The words of a location.
    @inline(__always)
    func words(of location: RecordLocation) -> SharedWords {
        let perUnit = SizeClass.unit / SharedWords.stride
        return self.words.extracting(Int(location.unit) &* perUnit, location.sizeClass.units &* perUnit)
    }

    /// Whether a slot's word refers to memory that can be touched; the word of an empty slot, which can be found if a
    /// tag is seen before its slot, does not.
    @inline(__always)
    func isCommitted(_ location: RecordLocation) -> Bool {
        location.unit != 0
            && (Int(location.unit) &+ location.sizeClass.units) &* SizeClass.unit
                <= self.committed.load(ordering: .relaxed)
    }

    /// A word in each of the first two cache lines of a record, by their numbers in the memory.
    struct Lines: BitwiseCopyable {
        /// The record's first word.
        let first: Int
        /// The word one cache line further, or the record's last.
        let second: Int
    }

    /// The first two cache lines of a record; they contain most of the requested data.
    @inline(__always)
    func lines(of location: RecordLocation) -> Lines {
        let perUnit = SizeClass.unit / SharedWords.stride
        let first = Int(location.unit) &* perUnit
        return Lines(first: first, second: first &+ Swift.min(8, location.sizeClass.units &* perUnit &- 1))
    }

    /// Starts to fetch two lines at the same time.
    @inline(__always)
    func fetch(_ lines: Lines) {
        self.words.fetch(lines.first)
        self.words.fetch(lines.second)
    }

    /// Starts to fetch the lines of a record, in any order; a slot's word may be of any age, or that of an empty slot.
    @inline(__always)
    func fetch(_ location: RecordLocation) {
        let perUnit = SizeClass.unit / SharedWords.stride
        let first = Int(location.unit) &* perUnit
        let count = Swift.min(location.sizeClass.units &* perUnit, Self.fetchedWords)
        guard count > 0 else { return }
        var word = 0
        while word < count &- 1 {
            self.words.fetch(first &+ word)
            word &+= Self.lineWords
        }
        self.words.fetch(first &+ count &- 1)
    }

    /// The allocated blocks; owned by the thread that may change the store.
    struct Allocations: Sendable {
        /// The first free block of each class by number, 0 if there is none; the first word of a free block is the
        /// number of the next one.
        fileprivate var free = InlineArray<137, UInt32>(repeating: 0)
        /// The first unit that was never allocated.
        fileprivate var end = RecordMemory.firstUnit
        /// The number of units that records use.
        fileprivate var used = 0

        /// The number of bytes that records use.
        var usedBytes: Int { self.used * SizeClass.unit }
    }

    /// An uninitialized block of a class, or `nil` if there is no more memory.
    @inline(__always)
    func take(_ sizeClass: SizeClass, from allocations: inout Allocations) -> RecordLocation? {
        let number = Int(sizeClass.number)
        let unit = allocations.free[number]
        guard unit != 0 else { return self.takeNew(sizeClass, from: &allocations) }
        let location = RecordLocation(unit: unit, sizeClass: sizeClass)
        allocations.free[number] = UInt32(truncatingIfNeeded: self.words(of: location)[0])
        allocations.used &+= sizeClass.units
        return location
    }

    /// Frees a block; no slot may refer to it any more.
    @inline(__always)
    func giveBack(_ location: RecordLocation, to allocations: inout Allocations) {
        let number = Int(location.sizeClass.number)
        self.words(of: location)[0] = UInt64(allocations.free[number])
        allocations.free[number] = location.unit
        allocations.used &-= location.sizeClass.units
    }

    /// Moves the memory into a file; the caller excludes changes.
    func share(in descriptor: Int32, at offset: Int) throws(SystemFailure) {
        let committed = self.committed.load(ordering: .relaxed)
        try self.memory.share(in: descriptor, at: offset, committed: committed > 0 ? [0..<committed] : [])
    }

    /// Frees all blocks and returns their memory to the system; no slot may refer to one any more.
    func removeAll(_ allocations: inout Allocations) {
        allocations = Allocations()
        self.memory.discard(0..<self.committed.load(ordering: .relaxed))
    }

    @inline(never)
    private func takeNew(_ sizeClass: SizeClass, from allocations: inout Allocations) -> RecordLocation? {
        let location = RecordLocation(unit: UInt32(truncatingIfNeeded: allocations.end), sizeClass: sizeClass)
        let end = allocations.end + sizeClass.units
        let committed = self.committed.load(ordering: .relaxed)
        if end * SizeClass.unit > committed {
            guard committed + Self.step <= self.memory.size,
                self.memory.commit(committed..<committed + Self.step)
            else { return nil }
            self.committed.store(committed + Self.step, ordering: .relaxed)
            self.published?.storeReleasing(UInt64(committed + Self.step), 0)
        }
        allocations.end = end
        allocations.used += sizeClass.units
        return location
    }
}
