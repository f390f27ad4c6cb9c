import LocalFiles
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// An address range that a store reserves; it may touch the part that it has committed.
///
/// Invariants:
/// - Committed memory stays readable and writable until the range is freed, also after `discard`. A thread that has an
///   offset that was valid at some time may load there at any time, and finds the stored data or zeros.
/// - Memory is zero when it is committed and after `discard`.
///
/// The memory is private to the process until `share` replaces it with a part of a file that other processes can map;
/// the addresses stay the same.
///
/// The address and the size never change; the owner decides which threads share them and may touch which part.
@safe
struct ReservedMemory: ~Copyable, @unchecked Sendable {
    /// If the process has a limit on its addresses, a range takes at most this fraction of it: the rest of the process
    /// needs some, too.
    private static let shareOfLimit = 4

    /// The range's first byte, the beginning of a page.
    private let base: UnsafeMutableRawPointer
    /// The number of bytes in the range: 0 if the system gave none.
    let size: Int
    /// The file that the range is mapped from, or -1.
    private let descriptor = Atomic<Int32>(-1)
    /// The offset of the range in the file.
    private let offset = Atomic<Int>(0)

    /// Reserves `size` bytes, a multiple of `step`, or half of it and so on if the system gives no more; `limit` is the
    /// limit of the process's address space in bytes.
    init(size wanted: Int, step: Int, limit: Int = ReservedMemory.processLimit) {
        let allowance = limit == .max ? wanted : Swift.min(wanted, limit / Self.shareOfLimit)
        var size = allowance / step * step
        var base: UnsafeMutableRawPointer?
        while size >= step {
            unsafe base = Self.reserve(size)
            if unsafe base != nil { break }
            size = size / 2 / step * step
        }
        self.size = unsafe base == nil ? 0 : size
        // Nothing is ever read or written in an empty range, so any address is valid.
        unsafe self.base = base ?? UnsafeMutableRawPointer(bitPattern: step).unsafelyUnwrapped
    }

    deinit {
        if self.size > 0 { unsafe munmap(self.base, self.size) }
    }

    /// Makes a range of complete pages readable and writable; returns `false` if the system has no memory for it.
    ///
    /// In a file, the space is allocated first, so that no access to it fails later.
    func commit(_ range: Range<Int>) -> Bool {
        let descriptor = self.descriptor.load(ordering: .relaxed)
        if descriptor >= 0, !Self.allocate(descriptor, self.offset.load(ordering: .relaxed), range) { return false }
        return unsafe mprotect(self.address(range), range.count, PROT_READ | PROT_WRITE) == 0
    }

    /// Clears a committed range of complete pages: it reads as zeros from then on. Private memory is returned to the
    /// system. The space of a file stays allocated: if another process took it, the next access would fail.
    func discard(_ range: Range<Int>) {
        if self.descriptor.load(ordering: .relaxed) >= 0 {
            let words = self.words
            for index in range.lowerBound / SharedWords.stride..<range.upperBound / SharedWords.stride {
                words[index] = 0
            }
            return
        }
        let result = unsafe madvise(self.address(range), range.count, MADV_DONTNEED)
        precondition(range.isEmpty || result == 0, "committed memory can be given back")
    }

    /// The words of the range; only those that are committed may be touched.
    var words: SharedWords {
        unsafe SharedWords(self.base, count: self.size / SharedWords.stride)
    }

    /// Moves the range into a file at an offset; the descriptor must stay open as long as the range is used.
    ///
    /// Concurrent loads see the same words before and after; the caller excludes stores.
    ///
    /// - Parameter committed: The committed ranges of complete pages, ascending. Only their space is allocated.
    /// - Throws: `SystemFailure`; a part of the range may be in the file then, and all of it can be used as before.
    func share(in descriptor: Int32, at offset: Int, committed: [Range<Int>]) throws(SystemFailure) {
        var start = 0
        for range in committed + [self.size..<self.size] {
            if start < range.lowerBound { try self.map(descriptor, offset, start..<range.lowerBound, PROT_NONE) }
            start = range.upperBound
            if range.isEmpty { continue }
            guard Self.allocate(descriptor, offset, range) else { throw SystemFailure("allocate space") }
            var written = 0
            while written < range.count {
                let from = unsafe self.address(range) + written
                let count = unsafe pwrite(descriptor, from, range.count - written, offset + range.lowerBound + written)
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw SystemFailure("write") }
                written += count
            }
            try self.map(descriptor, offset, range, PROT_READ | PROT_WRITE)
        }
        self.offset.store(offset, ordering: .relaxed)
        self.descriptor.store(descriptor, ordering: .relaxed)
    }

    private func map(
        _ descriptor: Int32, _ offset: Int, _ range: Range<Int>, _ protection: Int32
    ) throws(SystemFailure) {
        let flags = MAP_SHARED | MAP_FIXED | MAP_NORESERVE
        let mapping = unsafe mmap(
            self.address(range), range.count, protection, flags, descriptor, offset + range.lowerBound)
        if unsafe mapping == MAP_FAILED { throw SystemFailure("map") }
    }

    /// Allocates the space of a range in the file; returns `false`, with `errno`, if the file system has none.
    private static func allocate(_ descriptor: Int32, _ offset: Int, _ range: Range<Int>) -> Bool {
        var result: Int32
        repeat { result = posix_fallocate(descriptor, offset + range.lowerBound, range.count) } while result == EINTR
        if result != 0 { errno = result }
        return result == 0
    }

    private func address(_ range: Range<Int>) -> UnsafeMutableRawPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= self.size, "no such memory in the range")
        return unsafe self.base + range.lowerBound
    }

    /// The limit of the process's address space in bytes.
    static var processLimit: Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_AS.rawValue)), &limit) == 0 else { return .max }
        return Int(clamping: limit.rlim_cur)
    }

    private static func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
        // Pages that cannot be accessed do not count as used memory until they are committed.
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let mapping = unsafe mmap(nil, size, PROT_NONE, flags, -1, 0)
        return unsafe mapping == MAP_FAILED ? nil : mapping
    }
}
