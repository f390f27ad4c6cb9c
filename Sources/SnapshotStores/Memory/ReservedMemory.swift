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
    func commit(_ range: Range<Int>) -> Bool {
        unsafe mprotect(self.address(range), range.count, PROT_READ | PROT_WRITE) == 0
    }

    /// Returns the memory of a committed range of complete pages to the system; it reads as zeros from then on.
    func discard(_ range: Range<Int>) {
        let result = unsafe madvise(self.address(range), range.count, MADV_DONTNEED)
        precondition(range.isEmpty || result == 0, "committed memory can be given back")
    }

    /// The words of the range; only those that are committed may be touched.
    var words: SharedWords {
        unsafe SharedWords(self.base, count: self.size / SharedWords.stride)
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
