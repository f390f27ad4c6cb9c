/// One complete, flat reply: its values as tokens in depth-first order, their bytes in one arena.
///
/// The first token is the reply itself. A reply never changes between `RESPReader.next()` and `RESPReader.recycle(_:)`,
/// except that its bytes can be taken. It has one owner at a time and may move between threads with it. Pointers into
/// it are valid until the reply is recycled, its bytes are taken, or its lifetime ends.
///
/// No access to its memory lasts while other code runs, so exclusive access is not checked: the check costs more than a
/// read of a value.
@safe
package final class RESPReply {
    /// The values.
    @exclusivity(unchecked) private var tokenBuffer = TokenBuffer()
    /// The bytes of the values.
    @exclusivity(unchecked) private var arena = RESPArena()

    /// Whether the reply is known to answer a read of one stream in which the fields at each position have the same
    /// name in all entries that have a field there.
    package let namesGoByPosition: Bool

    /// Whether a byte string was left out of the reply because it was too long, so that there are values of the kind
    /// `tooLong`.
    package let hasLongValues: Bool

    /// Creates a reply without values; only a reader fills it.
    init(namesGoByPosition: Bool = false, hasLongValues: Bool = false) {
        self.namesGoByPosition = namesGoByPosition
        self.hasLongValues = hasLongValues
    }

    /// The number of values on all levels; at least 1.
    package var count: Int { unsafe self.tokenBuffer.count }

    /// The value at `index`, which must be below `count`.
    package subscript(_ index: Int) -> RESPToken {
        precondition(unsafe index >= 0 && index < self.tokenBuffer.count, "no value at this index of the reply")
        return unsafe self.tokenBuffer.tokens[index]
    }

    /// All values, for hot loops.
    @unsafe
    package var tokens: UnsafeBufferPointer<RESPToken> { unsafe self.tokenBuffer.tokens }

    /// The arena: the bytes of all values in order, either adjacent or separated by the bytes between them in the
    /// input.
    @unsafe
    package var bytes: UnsafeRawBufferPointer { unsafe self.arena.bytes }

    /// The bytes of a value of this reply that is not an aggregate.
    @unsafe
    package func bytes(of token: RESPToken) -> UnsafeRawBufferPointer {
        precondition(
            unsafe !token.kind.isAggregate && token.range.upperBound <= self.arena.count, "no bytes for this value")
        return unsafe UnsafeRawBufferPointer(rebasing: self.arena.bytes[token.range])
    }

    /// Returns a value's bytes as text; invalid UTF-8 is replaced.
    package func string(of token: RESPToken) -> String {
        unsafe String(decoding: self.bytes(of: token), as: UTF8.self)
    }

    /// Returns a value's bytes as a decimal number, whatever its kind, or `nil` if they are not a number.
    package func integer(of token: RESPToken) -> Int64? {
        token.kind.isAggregate ? nil : Int64(self.string(of: token))
    }

    /// Returns the index after the value at `index` and all that it contains: its next sibling, or the end.
    package func index(after index: Int) -> Int {
        var index = index
        var open = 1
        while open > 0 {
            let token = self[index]
            open += (token.kind.isAggregate ? Int(token.length) : 0) - 1
            index += 1
        }
        return index
    }
}

// MARK: - Ownership of the memory

extension RESPReply {
    /// Transfers the bytes to the caller; the reply keeps its tokens but has no bytes any more.
    ///
    /// Afterwards only the tokens of the reply may be used; they contain the offsets into the returned memory.
    package func takeBytes() -> RESPArena {
        self.exchangeBytes(RESPArena())
    }

    /// Transfers the bytes to the caller and replaces them with other memory, so that neither side allocates.
    ///
    /// The caller owns the result: keep it as an arena, which frees it, or `release()` it into a structure that calls
    /// `free`. The reply owns `replacement` from then on: its content is discarded immediately, its capacity serves a
    /// later reply once this one is recycled, and it is freed like the reply's own memory. To adopt memory that some
    /// other structure got from `malloc`, wrap it with `RESPArena(adopting:capacity:count:)`.
    package func exchangeBytes(_ replacement: consuming RESPArena) -> RESPArena {
        var bytes = replacement
        bytes.reset(keeping: .max)
        unsafe swap(&bytes, &self.arena)
        return bytes
    }

    /// Swaps the reply's memory with that of a reader's builder: the reply gets the values, the builder gets the
    /// capacity.
    func exchange(_ tokens: inout TokenBuffer, _ arena: inout RESPArena) {
        unsafe swap(&self.tokenBuffer, &tokens)
        unsafe swap(&self.arena, &arena)
    }

    /// Discards the values and keeps at most `kept` bytes of memory for tokens, and as many for their bytes.
    func reset(keeping kept: Int) {
        unsafe self.arena.reset(keeping: kept)
        unsafe self.tokenBuffer.reset(keeping: kept)
    }

    /// The memory that the values use, in bytes, without bytes that were taken.
    var usedBytes: Int {
        unsafe self.arena.count + self.tokenBuffer.count * MemoryLayout<RESPToken>.stride
    }

    /// The memory held, in bytes.
    var heldBytes: Int {
        unsafe self.arena.capacity + self.tokenBuffer.capacityBytes
    }
}
