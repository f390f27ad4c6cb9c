#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The bytes of a reply, in one piece of memory from `malloc` that has exactly one owner.
///
/// Invariants: `count <= capacity`; `base` is nil only where `capacity` is 0; the first `count` bytes are initialised;
/// `base` came from malloc, calloc or realloc, belongs to this value alone, and is freed when the value ends, unless
/// `release()` gave it away. Sendable because it is not copyable: the memory is reached through its one owner alone.
@safe
package struct RESPArena: ~Copyable, Sendable {
    /// The first capacity, in bytes: enough for most answers to commands.
    static let firstCapacity = 4096

    /// Where the memory begins; nil where there is none. Isolated by the ownership of the whole (see above).
    private nonisolated(unsafe) var base: UnsafeMutableRawPointer?
    /// The number of bytes in use.
    package private(set) var count: Int
    /// The number of bytes there is room for.
    package private(set) var capacity: Int

    /// Makes an arena without memory.
    package init() {
        unsafe self.base = nil
        self.count = 0
        self.capacity = 0
    }

    /// Takes over memory from `malloc`: from here on it is the arena's to move and to free.
    ///
    /// The caller vouches that `base` has `capacity` bytes, the first `count` of them initialised, and forgets it.
    @unsafe
    package init(adopting base: UnsafeMutableRawPointer?, capacity: Int, count: Int) {
        unsafe self.base = base
        self.count = unsafe base == nil ? 0 : count
        self.capacity = unsafe base == nil ? 0 : capacity
    }

    deinit {
        unsafe free(self.base)
    }

    /// Gives the memory away: the caller must hand it to `free`, or to an arena again.
    @unsafe
    package consuming func release() -> (base: UnsafeMutableRawPointer?, capacity: Int, count: Int) {
        let parts = unsafe (base: self.base, capacity: self.capacity, count: self.count)
        discard self
        return unsafe parts
    }

    /// The bytes in use; valid until the arena changes or ends.
    @unsafe
    package var bytes: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: self.base, count: self.count)
    }

    /// Forgets the bytes and keeps the memory, or gives it back where it is more than `kept` bytes.
    mutating func reset(keeping kept: Int) {
        self.count = 0
        if self.capacity > kept {
            self = RESPArena()
        }
    }

    /// Appends `length` bytes of `source`; false, with nothing changed, where the system has no memory.
    ///
    /// `source` must have them and not lie in the arena. The limit on `count` is the caller's.
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

    /// Copies `length` bytes that do not overlap: names and values are mostly so short that a call of memcpy would cost
    /// more than the copy. Short ones are taken in two pieces, which overlap where there are fewer bytes.
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

    /// Copies the first and the last piece of `length` bytes, which are at least one piece and at most two.
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

    /// Makes room for `extra` more bytes, at least doubling, so that n bytes cost O(n) moves.
    @inline(never)
    private mutating func grow(by extra: Int) -> Bool {
        let capacity = max(self.capacity * 2, self.count + extra, Self.firstCapacity)
        guard let base = unsafe realloc(self.base, capacity) else { return false }
        unsafe self.base = base
        self.capacity = capacity
        return true
    }
}

/// The tokens of a reply, in one piece of memory from `malloc` that has exactly one owner.
///
/// Invariants: as for `RESPArena`, counted in tokens. Tokens are trivial, so moving and freeing need no more care.
@safe
struct TokenBuffer: ~Copyable, Sendable {
    /// The first capacity, in tokens.
    static let firstCapacity = 64

    /// Where the memory begins; nil where there is none. Isolated by the ownership of the whole (see above).
    private nonisolated(unsafe) var base: UnsafeMutablePointer<RESPToken>?
    /// The number of tokens in use.
    private(set) var count: Int
    /// The number of tokens there is room for.
    private var capacity: Int

    /// Makes a buffer without memory.
    init() {
        unsafe self.base = nil
        self.count = 0
        self.capacity = 0
    }

    deinit {
        unsafe free(self.base)
    }

    /// The tokens in use; valid until the buffer changes or ends.
    @unsafe
    var tokens: UnsafeBufferPointer<RESPToken> {
        unsafe UnsafeBufferPointer(start: self.base, count: self.count)
    }

    /// The memory held, in bytes.
    var capacityBytes: Int { self.capacity * MemoryLayout<RESPToken>.stride }

    /// Forgets the tokens and keeps the memory, or gives it back where it is more than `kept` bytes.
    mutating func reset(keeping kept: Int) {
        self.count = 0
        if self.capacityBytes > kept {
            self = TokenBuffer()
        }
    }

    /// Appends a token where there is room for it; false, with nothing changed, where there is none.
    @inline(__always)
    mutating func appendWithinRoom(_ token: RESPToken) -> Bool {
        guard self.count < self.capacity, let base = unsafe self.base else { return false }
        unsafe (base + self.count).initialize(to: token)
        self.count &+= 1
        return true
    }

    /// Appends a token; false, with nothing changed, where the system has no memory.
    @inline(__always)
    mutating func append(_ token: RESPToken) -> Bool {
        if self.appendWithinRoom(token) { return true }
        return self.grow() && self.appendWithinRoom(token)
    }

    /// Doubles the room.
    @inline(never)
    private mutating func grow() -> Bool {
        let capacity = max(self.capacity * 2, Self.firstCapacity)
        guard let memory = unsafe realloc(self.base, capacity * MemoryLayout<RESPToken>.stride) else { return false }
        unsafe self.base = memory.bindMemory(to: RESPToken.self, capacity: capacity)
        self.capacity = capacity
        return true
    }
}
