#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// Addresses that a store keeps to itself, of which it may touch what it has committed.
///
/// Invariants:
/// - What was committed once stays readable and writable until the range ends, also after `discard`. So whoever holds an
///   offset that was good at some time may load there at any time, and finds what was stored there or zeros.
/// - It is zero when committed and after `discard`.
///
/// The address and the size never change; that threads share them, and who may touch what, is the owner's to say.
@safe
struct ReservedMemory: ~Copyable, @unchecked Sendable {
    /// Where the process may have only so many addresses, a range takes no more than this part of them: the rest of the
    /// process needs some, too.
    private static let shareOfLimit = 4

    /// The range's first byte, the beginning of a page.
    private let base: UnsafeMutableRawPointer
    /// Bytes in the range: 0 where the system gave none.
    let size: Int

    /// Reserves `size` bytes, a multiple of `step`, or half of it and so on where the system gives no more; `limit` is how
    /// many bytes of addresses the process may have.
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
        // Nothing is ever read or written in a range of no bytes, so any address does.
        unsafe self.base = base ?? UnsafeMutableRawPointer(bitPattern: step).unsafelyUnwrapped
    }

    deinit {
        if self.size > 0 { unsafe munmap(self.base, self.size) }
    }

    /// Makes a part, whole pages, readable and writable; false where the system has no memory for it.
    func commit(_ range: Range<Int>) -> Bool {
        unsafe mprotect(self.address(range), range.count, PROT_READ | PROT_WRITE) == 0
    }

    /// Gives the memory of a committed part, whole pages, back to the system; it reads as zeros from then on.
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

    /// How many bytes of addresses the process may have.
    static var processLimit: Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(UInt32(RLIMIT_AS.rawValue)), &limit) == 0 else { return .max }
        return Int(clamping: limit.rlim_cur)
    }

    private static func reserve(_ size: Int) -> UnsafeMutableRawPointer? {
        // Without a right of access the pages count nowhere as memory until they are committed.
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let mapping = unsafe mmap(nil, size, PROT_NONE, flags, -1, 0)
        return unsafe mapping == MAP_FAILED ? nil : mapping
    }
}
