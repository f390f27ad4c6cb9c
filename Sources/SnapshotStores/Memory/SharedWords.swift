import CPrefetch
import Synchronization

/// Words of 64 bits that threads share without a lock.
///
/// Each word is loaded and stored as a relaxed atomic, which is an ordinary load or store on all processors. A load
/// therefore returns a value that was stored, never parts of two. Other types decide whether a value is valid: a lookup
/// uses its shard's version (`ShardArray`).
///
/// A thread that excludes stores (`MemoryStore.changes`) may also read the bytes in the ordinary way.
@safe
struct SharedWords: @unchecked Sendable {
    /// Bytes in a word.
    static let stride = 8

    private let base: UnsafeMutablePointer<Atomic<UInt64>>
    /// The number of words.
    let count: Int

    /// The words at an address that is aligned to `stride`, zero or written by this type, and valid as long as they are
    /// used.
    @unsafe
    init(_ base: UnsafeMutableRawPointer, count: Int) {
        unsafe self.base = base.assumingMemoryBound(to: Atomic<UInt64>.self)
        self.count = count
    }

    /// A word.
    @inline(__always)
    subscript(index: Int) -> UInt64 {
        get {
            self.check(index)
            return unsafe self.base[index].load(ordering: .relaxed)
        }
        nonmutating set {
            self.check(index)
            unsafe self.base[index].store(newValue, ordering: .relaxed)
        }
    }

    /// Loads a word before all later loads of the thread.
    @inline(__always)
    func loadAcquiring(_ index: Int) -> UInt64 {
        self.check(index)
        return unsafe self.base[index].load(ordering: .acquiring)
    }

    /// Stores a word after all earlier stores of the thread.
    @inline(__always)
    func storeReleasing(_ word: UInt64, _ index: Int) {
        self.check(index)
        unsafe self.base[index].store(word, ordering: .releasing)
    }

    /// Some of the words.
    @inline(__always)
    func extracting(_ start: Int, _ count: Int) -> SharedWords {
        self.check(start, count)
        return unsafe SharedWords(UnsafeMutableRawPointer(self.base + start), count: count)
    }

    /// Starts to fetch a word's cache line without waiting for it. Nothing is read, so the word need not be in memory
    /// that may be touched.
    @inline(__always)
    func fetch(_ index: Int) {
        self.check(index)
        unsafe sluicePrefetch(self.base + index)
    }

    /// Copies an even number of words from the first on to private memory that has room for them.
    @unsafe
    @inline(__always)
    func copyPairs(_ count: Int, to target: UnsafeMutablePointer<UInt64>) {
        self.check(0, count)
        var index = 0
        while index < count {
            let first = unsafe self.base[index].load(ordering: .relaxed)
            let second = unsafe self.base[index &+ 1].load(ordering: .relaxed)
            unsafe target[index] = first
            unsafe target[index &+ 1] = second
            index &+= 2
        }
    }

    /// Stores bytes from the first word on; if they end within a word, the rest of it is zero.
    @unsafe
    @inline(__always)
    func store(_ bytes: UnsafeRawBufferPointer) {
        let whole = bytes.count / Self.stride
        self.check(0, whole)
        var index = 0
        while index < whole {
            let word = unsafe bytes.loadUnaligned(fromByteOffset: index &* Self.stride, as: UInt64.self)
            unsafe self.base[index].store(word, ordering: .relaxed)
            index &+= 1
        }
        let rest = bytes.count &- whole &* Self.stride
        if rest > 0 {
            var word: UInt64 = 0
            for byte in 0..<rest {
                let shift = UInt64(truncatingIfNeeded: 8 &* byte)
                unsafe word |= UInt64(bytes[whole &* Self.stride &+ byte]) &<< shift
            }
            self[whole] = word.littleEndian
        }
    }

    /// The bytes of the words, for callers that exclude stores.
    @unsafe
    var unsafeBytes: UnsafeRawPointer { unsafe UnsafeRawPointer(self.base) }

    @inline(__always)
    private func check(_ index: Int) {
        precondition(UInt(bitPattern: index) < UInt(bitPattern: self.count), "no such word")
    }

    @inline(__always)
    private func check(_ start: Int, _ count: Int) {
        // Negative numbers become greater than all others as unsigned numbers.
        let (start, all) = (UInt(bitPattern: start), UInt(bitPattern: self.count))
        precondition(start <= all && UInt(bitPattern: count) <= all &- start, "no such words")
    }
}
