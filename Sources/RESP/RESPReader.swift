import CHiredis

/// Parses the bytes of a connection into replies, without any I/O.
///
/// One reader per connection, used by one thread at a time. After an error the boundaries of replies are unknown: every
/// later call throws that error again, and the connection must be closed.
///
/// Feed input as it comes from the socket, and call `next()` until it returns `nil` after each piece: hiredis moves the
/// rest of its buffer after each reply, so a very large piece with many small replies takes quadratic time.
@safe
package struct RESPReader: ~Copyable {
    /// The maximum number of replies kept for reuse: one that is processed while the next is read, and two spare ones.
    static let maximumRecycled = 4
    /// The maximum size that each of a reply's two buffers keeps while replies are small (4 MiB: an XREAD COUNT 16384).
    static let keptBytes = 4 << 20
    /// The same while replies are big, so that a drain with COUNT 100000 does not allocate memory for each reply.
    static let keptBytesWhileBig = 64 << 20
    /// The maximum unused input buffer that hiredis keeps: the longest reply that a scanner waits for, with the room
    /// that hiredis adds when it grows. Only an unusually long value leaves a larger buffer.
    static let keptInputBytes = 2 * ReplyScanner.maximumBytes
    /// The maximum length of a byte string's header without CR LF: a sign and the digits of a 64-bit integer.
    static let maximumHeaderBytes = 20
    /// Whether the installed hiredis supports the value types of RESP3.
    package static var readsRESP3: Bool { sluiceHiredisReadsRESP3() != 0 }

    /// How to handle a byte string that is longer than the limits allow.
    package enum LongValues: Sendable {
        /// Fail with an error, which ends the stream.
        case refuse
        /// Discard its bytes as they arrive; the reply contains a value of the kind `tooLong` instead.
        case leaveOut
        /// Like `leaveOut`, also for byte strings that exceed the remaining size of the reply.
        case leaveOutToFit
    }

    /// The maximum length of a byte string that is skipped; a longer one ends the stream. Servers accept at most 512
    /// MiB unless configured otherwise.
    static let skippedBytes = RESPLimits.maximumBytes

    /// The limits in force.
    package let limits: RESPLimits
    /// The cell that hiredis's callbacks write to; see `ReplyBuilder`.
    private let builder: UnsafeMutablePointer<ReplyBuilder>
    /// The callbacks, in a cell of their own: hiredis keeps its address and reads them through it.
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
    /// The hiredis reader, owned; `nil` only if there was no memory for it, in which case `failure` is set.
    private let reader: UnsafeMutablePointer<redisReader>?
    /// Replies whose memory is reused.
    private var recycled: [RESPReply] = []
    /// The error that ended the stream.
    private var failure: RESPError?
    /// The size of the next reply in bytes if a scanner has found its end, otherwise 0.
    private var wholeBytes = 0
    /// Whether the scanner has found that the fields of that reply have the same names by position.
    private var wholeGoesByPosition = false
    /// The number of replies read, for error messages.
    private var replyCount = 0
    /// The number of bytes still to discard of a byte string that is left out, including the CR LF after it.
    private var skipping = 0

    /// Creates a reader; if the system has no memory for it, its first call throws.
    package init(limits: RESPLimits = RESPLimits()) {
        self.limits = limits
        unsafe self.builder = .allocate(capacity: 1)
        unsafe self.builder.initialize(to: ReplyBuilder(limits: limits))
        unsafe self.functions = .allocate(capacity: 1)
        unsafe self.functions.initialize(to: ReplyBuilder.makeFunctions())
        // Both cells outlive the hiredis reader, which `deinit` frees first.
        unsafe self.reader = redisReaderCreateWithFunctions(self.functions)
        if let reader = unsafe self.reader {
            unsafe reader.pointee.privdata = UnsafeMutableRawPointer(self.builder)
            unsafe reader.pointee.maxbuf = Self.keptInputBytes
            unsafe self.builder.pointee.reader = reader
        } else {
            self.failure = RESPError(.outOfMemory, "no memory for a reader")
        }
    }

    deinit {
        unsafe redisReaderFree(self.reader)
        unsafe self.builder.deinitialize(count: 1)
        unsafe self.builder.deallocate()
        unsafe self.functions.deallocate()
    }

    /// Sets how byte strings that are longer than the limits allow are handled, from the next reply on.
    package mutating func setLongValues(_ longValues: LongValues) {
        let builder = unsafe self.builder
        unsafe builder.pointee.longValues = longValues
    }

    /// Appends bytes received from the connection; they are copied.
    ///
    /// - Throws: `limitExceeded(.pendingBytes)` if more unread input accumulates than the limit allows.
    package mutating func feed(_ input: UnsafeRawBufferPointer) throws(RESPError) {
        if let failure = self.failure { throw failure }
        let bytes = unsafe try self.skipping > 0 ? self.skip(input) : input
        guard let reader = unsafe self.reader, let base = bytes.baseAddress, unsafe !bytes.isEmpty else {
            return
        }
        let pending = unsafe reader.pointee.len - reader.pointee.pos
        guard bytes.count <= self.limits.pendingBytes - pending else {
            let found = "\(bytes.count) bytes fed on top of \(pending) not yet read"
            throw self.fail(.limitExceeded(.pendingBytes), self.over(.pendingBytes, found))
        }
        let text = unsafe base.assumingMemoryBound(to: CChar.self)
        guard unsafe redisReaderFeed(reader, text, bytes.count) == REDIS_OK else {
            throw self.fail(.outOfMemory, "no memory for \(bytes.count) bytes of input")
        }
    }

    /// Returns the next complete reply, or `nil` if more input is needed.
    ///
    /// The caller owns the reply and may use it on any thread; pass it to `recycle` to have its memory reused.
    ///
    /// - Throws: An error if the input is not RESP or exceeds a limit.
    package mutating func next() throws(RESPError) -> sending RESPReply? {
        if let failure = self.failure { throw failure }
        guard let reader = unsafe self.reader else { return nil }
        let isWhole = self.takeWhole()
        while true {
            var object: UnsafeMutableRawPointer?
            guard unsafe redisReaderGetReply(reader, &object) == REDIS_OK else {
                throw unsafe self.readerFailure(reader)
            }
            if unsafe object != nil { break }
            if isWhole { throw self.fail(.protocolViolation, "a reply with inconsistent lengths") }
            guard unsafe try self.replacePending(reader) else { return nil }
        }
        // A new object, so that it is not tied to this reader; the memory moves, and that of a recycled reply takes its
        // place. Uses a separate pointer: mutating the pointee of `self.builder` in place, in a noncopyable struct,
        // makes the compiler's thread sanitizer emit code that its verifier refuses (Swift 6.3.1). The same applies in
        // `fail`.
        let builder = unsafe self.builder
        let reply = unsafe RESPReply(
            namesGoByPosition: isWhole && self.wholeGoesByPosition, hasLongValues: builder.pointee.hasLongValues)
        unsafe reply.exchange(&builder.pointee.tokens, &builder.pointee.arena)
        if let room = self.recycled.popLast() {
            unsafe room.exchange(&builder.pointee.tokens, &builder.pointee.arena)
        }
        unsafe builder.pointee.startReply()
        self.replyCount += 1
        return reply
    }

    /// Has the builder copy a complete reply in one step if its end is known, because most of the cost of a value is
    /// its copy.
    private mutating func takeWhole() -> Bool {
        let count = self.wholeBytes
        self.wholeBytes = 0
        guard count > 0, let unread = unsafe self.unread, count <= unread.count else { return false }
        let builder = unsafe self.builder
        return unsafe builder.pointee.readInPlace(UnsafeRawBufferPointer(rebasing: unread[..<count]))
    }

    /// Takes back a reply, of this reader or another, to reuse its memory; its values are discarded.
    ///
    /// At most `maximumRecycled` replies are kept. A big reply keeps its memory until a small one is recycled; then the
    /// memory of all kept replies shrinks to `keptBytes`.
    package mutating func recycle(_ reply: sending RESPReply) {
        guard self.failure == nil, self.recycled.count < Self.maximumRecycled else { return }
        let isBig = reply.usedBytes > Self.keptBytes
        reply.reset(keeping: isBig ? Self.keptBytesWhileBig : Self.keptBytes)
        if !isBig {
            for other in self.recycled { other.reset(keeping: Self.keptBytes) }
        }
        self.recycled.append(reply)
    }

    /// The memory held for input, for the reply being read and for later ones, in bytes; used by tests.
    var heldBytes: Int {
        let recycled = self.recycled.reduce(0) { $0 + $1.heldBytes }
        let building = unsafe self.builder.pointee.tokens.capacityBytes + self.builder.pointee.arena.capacity
        return unsafe recycled + building + Int(self.reader?.pointee.len ?? 0)
    }
}

// MARK: - Looking ahead

extension RESPReader {
    /// The number of bytes fed but not yet consumed by a reply.
    package var unreadBytes: Int {
        guard let reader = unsafe self.reader else { return 0 }
        return unsafe reader.pointee.len - reader.pointee.pos
    }

    /// Passes a scanner the bytes not yet consumed by a reply; they must begin at the start of a reply.
    ///
    /// If the scanner finds that a reply is complete, the following call of `next` reads it faster.
    package mutating func scan(_ scanner: inout ReplyScanner) -> ReplyScanner.Progress {
        guard let unread = unsafe self.unread else { return .other }
        let progress = unsafe scanner.scan(unread)
        if case .whole(let bytes, _, _) = progress {
            self.wholeBytes = bytes
            self.wholeGoesByPosition = scanner.namesGoByPosition
        }
        return progress
    }

    /// Passes a range of the unconsumed bytes to `body`; returns `nil` without a call if there are fewer bytes.
    package func withUnread<R>(_ range: Range<Int>, _ body: (Span<UInt8>) -> R) -> R? {
        guard let unread = unsafe self.unread, range.lowerBound >= 0, range.upperBound <= unread.count
        else { return nil }
        return body(unsafe UnsafeRawBufferPointer(rebasing: unread[range]).assumingMemoryBound(to: UInt8.self).span)
    }

    /// The bytes not yet consumed by a reply; valid until the reader changes.
    private var unread: UnsafeRawBufferPointer? {
        guard let reader = unsafe self.reader, let buffer = unsafe reader.pointee.buf else { return nil }
        return unsafe UnsafeRawBufferPointer(start: buffer + reader.pointee.pos, count: self.unreadBytes)
    }
}

// MARK: - Values that are too long

extension RESPReader {
    /// Leaves out the byte string that has begun to arrive if it is too long; returns whether it was. Otherwise throws
    /// if its announced or received length already exceeds a limit.
    private mutating func replacePending(_ reader: UnsafeMutablePointer<redisReader>) throws(RESPError) -> Bool {
        let builder = unsafe self.builder
        guard unsafe builder.pointee.longValues != .refuse && sluiceReaderPendingType(reader) == REDIS_REPLY_STRING,
            let unread = unsafe self.unread, let (length, header) = unsafe Self.announcedLength(unread),
            self.isTooLong(length)
        else {
            try unsafe self.checkPending(reader)
            return false
        }
        // hiredis has read the type and expects a length next. The last received bytes of the string are overwritten
        // with the length of a null; the rest of the string never reaches hiredis.
        let null: [4 of UInt8] = [0x2D, 0x31, 0x0D, 0x0A]
        guard unread.count >= null.count, let buffer = unsafe reader.pointee.buf else { return false }
        let rest = length + 2 - (unread.count - header)
        // Cannot happen: hiredis would have read a string that is complete.
        guard rest > 0 else { return false }
        if rest == 1, unsafe unread[unread.count - 1] != 0x0D {
            throw self.fail(.protocolViolation, self.text(.unterminated))
        }
        self.skipping = rest
        let position = unsafe reader.pointee.len - null.count
        for index in null.indices {
            unsafe buffer[position + index] = CChar(bitPattern: null[index])
        }
        unsafe reader.pointee.pos = position
        unsafe builder.pointee.replaced = length
        return true
    }

    /// Whether a byte string of `length` bytes is left out.
    private func isTooLong(_ length: Int) -> Bool {
        guard length <= Self.skippedBytes else { return false }
        switch unsafe self.builder.pointee.longValues {
        case .refuse: return false
        case .leaveOut: return length > self.limits.bulkBytes
        case .leaveOutToFit:
            return unsafe length > self.limits.bulkBytes || self.builder.pointee.exceedsReply(length)
        }
    }

    /// Discards the bytes of a byte string that is left out; returns the bytes that follow it.
    private mutating func skip(_ bytes: UnsafeRawBufferPointer) throws(RESPError) -> UnsafeRawBufferPointer {
        let count = min(self.skipping, bytes.count)
        // The last two bytes are CR LF.
        let lineEnd: [(index: Int, byte: UInt8)] = [(self.skipping - 2, 0x0D), (self.skipping - 1, 0x0A)]
        for (index, byte) in lineEnd where (0..<count).contains(index) {
            guard unsafe bytes[index] == byte else { throw self.fail(.protocolViolation, self.text(.unterminated)) }
        }
        self.skipping -= count
        return unsafe UnsafeRawBufferPointer(rebasing: bytes[count...])
    }
}

// MARK: - Errors

extension RESPReader {
    /// Throws if the announced or received length of an incomplete value already exceeds a limit.
    private mutating func checkPending(_ reader: UnsafeMutablePointer<redisReader>) throws(RESPError) {
        let type = unsafe sluiceReaderPendingType(reader)
        guard type >= 0, let buffer = unsafe reader.pointee.buf else { return }
        let unread = unsafe UnsafeRawBufferPointer(
            start: buffer + reader.pointee.pos, count: reader.pointee.len - reader.pointee.pos)
        if type == REDIS_REPLY_STRING || type == REDIS_REPLY_VERB,
            let length = unsafe Self.announcedLength(unread)?.length
        {
            // It will be left out as soon as there is room for its replacement.
            if type == REDIS_REPLY_STRING && self.isTooLong(length) { return }
            if length > self.limits.bulkBytes {
                throw self.fail(.limitExceeded(.bulkBytes), self.text(.limit(.bulkBytes, found: length)))
            }
            let total = unsafe self.builder.pointee.arena.count + length
            if total > self.limits.replyBytes {
                throw self.fail(.limitExceeded(.replyBytes), self.text(.limit(.replyBytes, found: total)))
            }
        } else if unread.count > self.limits.lineBytes {
            throw self.fail(.limitExceeded(.lineBytes), self.text(.limit(.lineBytes, found: unread.count)))
        }
    }

    /// The length in a byte string's header and the header's size in bytes, or `nil` if it is incomplete or not a
    /// length.
    private static func announcedLength(_ unread: UnsafeRawBufferPointer) -> (length: Int, header: Int)? {
        let line = unsafe unread.prefix(Self.maximumHeaderBytes + 2)
        guard let end = unsafe line.firstIndex(of: 0x0D), unsafe end + 1 < line.endIndex, unsafe line[end + 1] == 0x0A
        else { return nil }
        return unsafe Int(String(decoding: line[..<end], as: UTF8.self)).map { ($0, end + 2) }
    }

    /// Returns the error of a failed hiredis reader: the callback's refusal if there is one, otherwise hiredis's own
    /// message.
    private mutating func readerFailure(_ reader: UnsafeMutablePointer<redisReader>) -> RESPError {
        if let refusal = unsafe self.builder.pointee.refusal {
            return self.fail(Self.kind(refusal), self.text(refusal))
        }
        let text = unsafe String(cString: sluiceReaderErrorText(reader))
        if text.contains("nest") {
            // hiredis's own bound, which is our bound plus one level.
            let refusal = ReplyBuilder.Refusal.limit(.nesting, found: RESPLimits.maximumNesting + 1)
            return self.fail(Self.kind(refusal), self.text(refusal))
        }
        let prefix = "Protocol error, "
        let what = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
        return self.fail(.protocolViolation, what.isEmpty ? "unreadable" : what)
    }

    /// The kind of error for a refusal.
    private static func kind(_ refusal: ReplyBuilder.Refusal) -> RESPError.Kind {
        switch refusal {
        case .limit(let name, _): .limitExceeded(name)
        case .unterminated, .attribute: .protocolViolation
        case .memory: .outOfMemory
        }
    }

    /// The message for a refusal.
    private func text(_ refusal: ReplyBuilder.Refusal) -> String {
        switch refusal {
        case .limit(.bulkBytes, let found): self.over(.bulkBytes, "byte string of \(found) bytes")
        case .limit(.lineBytes, let found): self.over(.lineBytes, "line of \(found) bytes or more")
        case .limit(.arrayElements, let found): self.over(.arrayElements, "aggregate of \(found) elements")
        case .limit(.replyTokens, let found): self.over(.replyTokens, "reply of \(found) values or more")
        case .limit(.replyBytes, let found): self.over(.replyBytes, "reply of \(found) bytes or more")
        case .limit(.nesting, let found): self.over(.nesting, "aggregates nested \(found) deep")
        case .limit(.pendingBytes, let found): self.over(.pendingBytes, "\(found) bytes not yet read")
        case .unterminated: "string not followed by CR LF"
        case .attribute: "attributes are not supported"
        case .memory: "no memory for a value"
        }
    }

    /// The message for a value above a limit.
    private func over(_ name: RESPLimits.Name, _ what: String) -> String {
        "\(what), the limit is \(self.limits[name]) (\(name.rawValue))"
    }

    /// Ends the stream: stores the error and frees the memory of the unfinished reply.
    private mutating func fail(_ kind: RESPError.Kind, _ what: String) -> RESPError {
        let builder = unsafe self.builder
        let value = unsafe builder.pointee.tokens.count + 1
        let error = RESPError(kind, "reply \(self.replyCount + 1), value \(value): \(what)")
        self.failure = error
        self.recycled = []
        unsafe builder.pointee.tokens.reset(keeping: 0)
        unsafe builder.pointee.arena.reset(keeping: 0)
        return error
    }
}
