import LocalFiles
import Synchronization

/// The shards: tables of records, each with a version by which lookups detect whether they read a consistent state.
///
/// Access rules:
/// - Only the holder of the store's `changes` changes tables, and records that a slot refers to, and only in `change`,
///   which makes the shard's version odd before and even after, two more than it was.
/// - The holder of `changes` reads them in the ordinary way.
/// - All other threads read the version, read words as relaxed atomics, copy the data, and trust the copy if the
///   version is still the same (`isUnchanged`). Then no change of the shard had begun, and none of its records' blocks
///   had been written for another record, because a block is removed from its slot before it is used again.
///
/// Why this is sufficient (Boehm, "Can seqlocks get along with programming language memory models?", 2012): the fence
/// in `change` comes after the version became odd and before every store to the table, its records, and their former
/// blocks; the fence in `isUnchanged` comes after every load. A thread that has loaded the value of such a store
/// therefore finds the version changed. The last store of a change is a release that `version` acquires: loaded data is
/// no older than the version.
///
@safe
struct ShardArray: ~Copyable, Sendable {
    /// Words between two shards' heads: a cache line, so that cores which change different shards do not disturb each
    /// other. The first is the version, the second the number of records.
    static let headWords = 8
    /// Initial number of lines of a table.
    private static let firstLines = 4
    /// The maximum load of a table, in fifths of its slots: then about one record in ten is not in its home line.
    private static let fullFifths = 4
    /// A table's memory is committed in steps of this size, whole pages on all machines: few system calls, and
    /// committed memory takes no space before it is used.
    private static let commitStep = 64 << 10

    /// The memory of `heads` and `lineCounts`, which is committed from the start.
    private let memory: ReservedMemory
    private let heads: SharedWords
    /// The number of lines of each table, contiguous. Lookups need it immediately; it hardly ever changes, while a head
    /// must often be fetched from another core, which proceeds while the table's line is being fetched.
    private let lineCounts: SharedWords
    private let tables: ReservedMemory
    private let commitStep: Int
    /// The size of each table's address range in bytes.
    let tableSize: Int
    /// The words of all tables, and the number of words of each.
    private let tableWords: (all: SharedWords, each: Int)
    /// The number of shards, a power of two.
    let count: Int

    /// Creates empty shards with capacity for this many records in total, distributed like random hashes.
    ///
    /// - Parameter commitStep: The size in which a table's memory is committed, a multiple of a page that divides the
    ///   default. Committed space in a file is used up immediately, so shared tables take single pages.
    init(count: Int, records: Int, commitStep: Int = ShardArray.commitStep) {
        precondition(count > 0 && count & (count - 1) == 0, "the number of shards is a power of two")
        let words = count * (Self.headWords + 1)
        let bytes = (words * SharedWords.stride + SystemPage.size - 1) / SystemPage.size * SystemPage.size
        self.memory = ReservedMemory(size: bytes, step: SystemPage.size, limit: .max)
        let isCommitted = self.memory.commit(0..<bytes)
        precondition(isCommitted, "there is memory for the heads of an empty store")
        let all = self.memory.words
        self.heads = all.extracting(0, count * Self.headWords)
        self.lineCounts = all.extracting(count * Self.headWords, count)
        let size = Self.tableSize(records: records, shards: count)
        self.tables = ReservedMemory(size: size * count, step: Self.commitStep * count)
        self.tableSize = self.tables.size / count
        self.tableWords = (self.tables.words, self.tableSize / SharedWords.stride)
        self.commitStep = commitStep
        self.count = count
    }

    /// The shard of a hash: its lowest bits, because the table uses the highest.
    @inline(__always)
    func index(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (self.count &- 1) }

    /// A shard's current table.
    @inline(__always)
    func table(_ shard: Int) -> SlotTable {
        let words = self.tableWords.each
        return SlotTable(
            words: self.tableWords.all.extracting(shard &* words, words),
            lines: Int(truncatingIfNeeded: self.lineCounts[shard]))
    }

    // MARK: Looking without a lock

    /// The shard's version, or `nil` while it is being changed.
    @inline(__always)
    func version(_ shard: Int) -> UInt64? {
        let version = self.heads.loadAcquiring(shard &* Self.headWords)
        return version & 1 == 0 ? version : nil
    }

    /// Whether no change of the shard has begun since `version` was read.
    @inline(__always)
    func isUnchanged(_ shard: Int, since version: UInt64) -> Bool {
        atomicMemoryFence(ordering: .acquiring)
        return self.heads[shard &* Self.headWords] == version
    }

    // MARK: Changes, for those who hold the store's `changes`

    /// Changes a shard: words that slots refer to are written only in `body`, which must be short.
    @inline(__always)
    func change(_ shard: Int, _ body: () -> Void) {
        let head = shard &* Self.headWords
        let version = self.heads[head]
        self.heads[head] = version &+ 1
        atomicMemoryFence(ordering: .releasing)
        body()
        self.heads.storeReleasing(version &+ 2, head)
    }

    /// The number of records of a shard; written in `change`.
    @inline(__always)
    func used(_ shard: Int) -> Int { Int(truncatingIfNeeded: self.heads[shard &* Self.headWords &+ 1]) }

    /// Ensures capacity for one more record in a shard; returns false if that is impossible.
    @inline(__always)
    func reserve(_ shard: Int, _ scratch: inout [SlotTable.GrownSlot]) -> Bool {
        let (used, capacity) = (self.used(shard), self.table(shard).capacity)
        if (used &+ 1) &* 5 <= capacity &* Self.fullFifths { return true }
        return self.grow(shard, &scratch) || used < capacity
    }

    /// Adds a record whose key has none; the table must have room for it.
    func insert(_ slot: Slot, hash: UInt64, _ shard: Int) {
        self.change(shard) {
            self.table(shard).insert(slot, hash: hash)
            self.setUsed(shard, self.used(shard) + 1)
        }
    }

    /// Replaces the record of a slot with another one of the same key.
    @inline(__always)
    func replace(at index: Int, with slot: Slot, _ shard: Int) {
        self.change(shard) { self.table(shard).replace(at: index, with: slot) }
    }

    /// Removes the record of a slot.
    func remove(at index: Int, _ shard: Int) {
        self.change(shard) {
            self.table(shard).remove(at: index)
            self.setUsed(shard, self.used(shard) - 1)
        }
    }

    /// Removes all records of a shard and returns the table's memory to the system.
    func removeAll(_ shard: Int) {
        self.change(shard) {
            let size = self.committedSize(lines: self.table(shard).lines)
            self.lineCounts[shard] = 0
            self.setUsed(shard, 0)
            self.tables.discard(shard * self.tableSize..<shard * self.tableSize + size)
        }
    }

    /// Bytes of all lines.
    var usedBytes: Int {
        (0..<self.count).reduce(0) { $0 + self.table($1).lines * SlotTable.lineWords * SharedWords.stride }
    }

    /// Grows a table by half, in place: 11 to 18 bytes of slots per record. Returns `false` if it has its maximum size,
    /// or the system has no memory.
    @inline(never)
    private func grow(_ shard: Int, _ scratch: inout [SlotTable.GrownSlot]) -> Bool {
        let table = self.table(shard)
        let most = self.tableSize / (SlotTable.lineWords * SharedWords.stride)
        let lines = Swift.min(most, Swift.max(Self.firstLines, table.lines * 3 / 2))
        guard lines > table.lines else { return false }
        let (old, new) = (self.committedSize(lines: table.lines), self.committedSize(lines: lines))
        let start = shard * self.tableSize
        guard old == new || self.tables.commit(start + old..<start + new) else { return false }
        self.change(shard) {
            table.grow(to: lines, &scratch)
            self.lineCounts[shard] = UInt64(lines)
        }
        return true
    }

    // MARK: In a file

    /// The sizes of the two parts of a file that the shards need: heads with line counts, and tables.
    var sharedSizes: (heads: Int, tables: Int) { (self.memory.size, self.tables.size) }

    /// The offset of the line counts after the heads, in bytes.
    var lineCountsOffset: Int { self.count * Self.headWords * SharedWords.stride }

    /// Moves the shards into a file; the caller excludes changes.
    func share(in descriptor: Int32, headsAt heads: Int, tablesAt tables: Int) throws(SystemFailure) {
        try self.memory.share(in: descriptor, at: heads, committed: [0..<self.memory.size])
        let committed = (0..<self.count).map { shard in
            let start = shard * self.tableSize
            return start..<start + self.committedSize(lines: self.table(shard).lines)
        }
        try self.tables.share(in: descriptor, at: tables, committed: committed.filter { !$0.isEmpty })
    }

    private func setUsed(_ shard: Int, _ used: Int) {
        self.heads[shard * Self.headWords + 1] = UInt64(used)
    }

    private func committedSize(lines: Int) -> Int {
        let size = lines * SlotTable.lineWords * SharedWords.stride
        return (size + self.commitStep - 1) / self.commitStep * self.commitStep
    }

    /// The address space for a table, which suffices for the fullest of the shards if hashes are random.
    private static func tableSize(records: Int, shards: Int) -> Int {
        let mean = Double(Swift.min(records, RecordMemory.maximumBytes / SizeClass.unit)) / Double(shards)
        let most = Int(mean + 10 * mean.squareRoot()) + 64
        let lines = most * 5 / (Self.fullFifths * LineTags.slots) + Self.firstLines
        let size = lines * SlotTable.lineWords * SharedWords.stride
        return (size + Self.commitStep - 1) / Self.commitStep * Self.commitStep
    }
}
