#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The bytes of a reply, in one block of memory from `malloc` that has exactly one owner.
///
/// Invariants: `count <= capacity`; `base` is nil only if `capacity` is 0; the first `count` bytes are initialised;
/// `base` came from malloc, calloc or realloc, belongs to this value alone, and is freed when the value's lifetime
/// ends, unless `release()` gave it away. Sendable because the type is not copyable: only the owner can access the
/// memory.
@safe
package struct RESPArena: ~Copyable, Sendable {
    /// The initial capacity in bytes: enough for most replies to commands.
    static let firstCapacity = 4096

    /// The start of the memory, or `nil` if there is none. Isolated by the ownership of the arena (see above).
    private nonisolated(unsafe) var base: UnsafeMutableRawPointer?
    /// The number of bytes in use.
    package private(set) var count: Int
    /// The number of bytes that fit in the memory.
    package private(set) var capacity: Int

    /// Creates an arena without memory.
    package init() {
        unsafe self.base = nil
        self.count = 0
        self.capacity = 0
    }

    /// Adopts memory from `malloc`, which the arena then moves and frees.
    ///
    /// The caller guarantees that `base` has `capacity` bytes, the first `count` of them initialised, and stops using
    /// it.
    @unsafe
    package init(adopting base: UnsafeMutableRawPointer?, capacity: Int, count: Int) {
        unsafe self.base = base
        self.count = unsafe base == nil ? 0 : count
        self.capacity = unsafe base == nil ? 0 : capacity
    }

    deinit {
        unsafe free(self.base)
    }

    /// Releases the memory to the caller, which must pass it to `free` or to another arena.
    @unsafe
    package consuming func release() -> (base: UnsafeMutableRawPointer?, capacity: Int, count: Int) {
        let parts = unsafe (base: self.base, capacity: self.capacity, count: self.count)
        discard self
        return unsafe parts
    }

    /// The bytes in use; valid until the arena changes or its lifetime ends.
    @unsafe
    package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: self.base, count: self.count)
    }

    /// Discards the bytes and keeps the memory, or frees it if its capacity exceeds `kept` bytes.
    mutating func reset(keeping kept: Int) {
        self.count = 0
        if self.capacity > kept {
            self = RESPArena()
        }
    }

    /// Appends `length` bytes of `source`; returns `false` and changes nothing if the system has no memory.
    ///
    /// `source` must have `length` bytes outside the arena. The caller enforces the limit on `count`.
    @unsafe
    @inline(__always)
    mutating func append(_ source: UnsafeRawPointer, length: Int) -> Bool {
        if length > self.capacity &- self.count {
            guard self.grow(by: length) else { return false }
        }
        guard let base = unsafe self.base else { return length == 0 }
        unsafe Self.copy(base + self.count, source, length)
        self.count &+= length
        return true
    }

    /// Copies `length` bytes that do not overlap. Most names and values are so short that a call of memcpy would cost
    /// more than the copy; these are copied as two pieces, which overlap if there are fewer bytes.
    @unsafe
    @inline(__always)
    private static func copy(
        _ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ length: Int
    ) {
        switch length {
        case 16...32: unsafe self.copyEnds(target, source, length, SIMD16<UInt8>.self)
        case 8..<16: unsafe self.copyEnds(target, source, length, UInt64.self)
        case 4..<8: unsafe self.copyEnds(target, source, length, UInt32.self)
        default: unsafe memcpy(target, source, length)
        }
    }

    /// Copies the first and the last piece of `length` bytes; `length` must be at least one piece and at most two.
    @unsafe
    @inline(__always)
    private static func copyEnds<Piece: BitwiseCopyable>(
        _ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ length: Int, _: Piece.Type
    ) {
        let second = length &- MemoryLayout<Piece>.size
        let first = unsafe source.loadUnaligned(as: Piece.self)
        let last = unsafe source.loadUnaligned(fromByteOffset: second, as: Piece.self)
        unsafe target.storeBytes(of: first, as: Piece.self)
        unsafe target.storeBytes(of: last, toByteOffset: second, as: Piece.self)
    }

    /// Makes room for `extra` more bytes. At least doubles the capacity, so that n bytes cost O(n) moves.
    @inline(never)
    private mutating func grow(by extra: Int) -> Bool {
        let capacity = max(self.capacity * 2, self.count + extra, Self.firstCapacity)
        guard let base = unsafe realloc(self.base, capacity) else { return false }
        unsafe self.base = base
        self.capacity = capacity
        return true
    }
}

/// The tokens of a reply, in one block of memory from `malloc` that has exactly one owner.
///
/// Invariants: as for `RESPArena`, counted in tokens. Tokens are trivial, so they are moved and freed as plain bytes.
@safe
struct TokenBuffer: ~Copyable, Sendable {
    /// The initial capacity in tokens.
    static let firstCapacity = 64

    /// The start of the memory, or `nil` if there is none. Isolated by the ownership of the buffer (see `RESPArena`).
    private nonisolated(unsafe) var base: UnsafeMutablePointer<RESPToken>?
    /// The number of tokens in use.
    private(set) var count: Int
    /// The number of tokens that fit in the memory.
    private var capacity: Int

    /// Creates a buffer without memory.
    init() {
        unsafe self.base = nil
        self.count = 0
        self.capacity = 0
    }

    deinit {
        unsafe free(self.base)
    }

    /// The tokens in use; valid until the buffer changes or its lifetime ends.
    @unsafe
    var tokens: UnsafeBufferPointer<RESPToken> {
        unsafe UnsafeBufferPointer(start: self.base, count: self.count)
    }

    /// The size of the memory in bytes.
    var capacityBytes: Int { self.capacity * MemoryLayout<RESPToken>.stride }

    /// Discards the tokens and keeps the memory, or frees it if its size exceeds `kept` bytes.
    mutating func reset(keeping kept: Int) {
        self.count = 0
        if self.capacityBytes > kept {
            self = TokenBuffer()
        }
    }

    /// Appends a token if it fits the memory; otherwise returns `false` and changes nothing.
    @inline(__always)
    mutating func appendWithinRoom(_ token: RESPToken) -> Bool {
        guard self.count < self.capacity, let base = unsafe self.base else { return false }
        unsafe (base + self.count).initialize(to: token)
        self.count &+= 1
        return true
    }

    /// Appends a token; returns `false` and changes nothing if the system has no memory.
    @inline(__always)
    mutating func append(_ token: RESPToken) -> Bool {
        if self.appendWithinRoom(token) { return true }
        return self.grow() && self.appendWithinRoom(token)
    }

    /// Doubles the capacity.
    @inline(never)
    private mutating func grow() -> Bool {
        let capacity = max(self.capacity * 2, Self.firstCapacity)
        guard let memory = unsafe realloc(self.base, capacity * MemoryLayout<RESPToken>.stride) else { return false }
        unsafe self.base = memory.bindMemory(to: RESPToken.self, capacity: capacity)
        self.capacity = capacity
        return true
    }
}
