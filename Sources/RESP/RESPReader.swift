import CHiredis

/// Reads replies out of the bytes of a connection: bytes in, replies out, no I/O.
///
/// One reader per connection, used by one thread at a time. After an error the stream has no known boundary any more:
/// every later call throws that error again, and the connection must be closed.
/// Hand over input as it comes from the socket, and call `next()` until it answers nil after each piece: hiredis moves
/// what is left in its buffer after each reply, so a very large piece with many small replies costs quadratic time.
@safe
package struct RESPReader: ~Copyable {
    /// The most replies kept for reuse: one that is worked on while the next is read, and two of slack.
    static let maximumRecycled = 4
    /// The most bytes each of a reply's two buffers keeps while replies are ordinary (4 MiB: an XREAD COUNT 16384).
    static let keptBytes = 4 << 20
    /// The same while replies are big, so that a drain with COUNT 100000 need not ask the system for each of them.
    static let keptBytesWhileBig = 64 << 20
    /// The most unused input buffer hiredis keeps: that of the longest reply that a scanner keeps back, with the room that
    /// hiredis adds when it grows; more is left only by an unusually long value.
    static let keptInputBytes = 2 * ReplyScanner.maximumBytes
    /// The longest header of a byte string without CR LF: a sign and the digits of a 64-bit integer.
    static let maximumHeaderBytes = 20
    /// Whether the hiredis in use reads the kinds of RESP3.
    package static var readsRESP3: Bool { sluiceHiredisReadsRESP3() != 0 }

    /// What happens to a byte string that is longer than the limits allow.
    package enum LongValues: Sendable {
        /// The stream ends with an error.
        case refuse
        /// Its bytes are thrown away as they arrive, and the reply has a value of the kind `tooLong` in its place.
        case leaveOut
        /// The same, also for byte strings that the reply as a whole has no room for.
        case leaveOutToFit
    }

    /// The longest byte string that is skipped; one that is announced with more ends the stream. Servers accept no more than
    /// 512 MiB unless they are told to.
    static let skippedBytes = RESPLimits.maximumBytes

    /// The bounds in force.
    package let limits: RESPLimits
    /// The cell that hiredis's callbacks write to; see `ReplyBuilder`.
    private let builder: UnsafeMutablePointer<ReplyBuilder>
    /// The callbacks, in a cell of their own: hiredis keeps its address and reads them through it.
    private let functions: UnsafeMutablePointer<redisReplyObjectFunctions>
    /// The hiredis reader, owned; nil only where there was no memory for it, and then `failure` is set.
    private let reader: UnsafeMutablePointer<redisReader>?
    /// Replies whose memory is used again.
    private var recycled: [RESPReply] = []
    /// The error that ended the stream.
    private var failure: RESPError?
    /// How many bytes the next reply has, where a scanner has found its end; 0 where that is not known.
    private var wholeBytes = 0
    /// Whether the scanner has seen that the names in that reply go by position.
    private var wholeGoesByPosition = false
    /// The number of replies read, for messages.
    private var replyCount = 0
    /// How many bytes that come next belong to a byte string that is left out, the line end behind it included.
    private var skipping = 0

    /// Makes a reader; where the system has no memory for it, its first call throws.
    package init(limits: RESPLimits = RESPLimits()) {
        self.limits = limits
        unsafe self.builder = .allocate(capacity: 1)
        unsafe self.builder.initialize(to: ReplyBuilder(limits: limits))
        unsafe self.functions = .allocate(capacity: 1)
        unsafe self.functions.initialize(to: ReplyBuilder.makeFunctions())
        // Both cells outlive the hiredis reader, which goes first in `deinit`.
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

    /// What happens to a byte string that is longer than the limits allow, from the next reply on.
    package mutating func setLongValues(_ longValues: LongValues) {
        let builder = unsafe self.builder
        unsafe builder.pointee.longValues = longValues
    }

    /// Takes in bytes that came from the connection; they are copied.
    ///
    /// Throws `limitExceeded(.pendingBytes)` where more input waits than the limit allows.
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

    /// The next whole reply, or nil where more input is needed.
    ///
    /// The reply is the caller's alone, on any thread; give it back with `recycle` to have its memory used again.
    /// Throws where the input is not RESP or breaks a limit.
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
            if isWhole { throw self.fail(.protocolViolation, "a reply whose lengths do not fit together") }
            guard unsafe try self.replacePending(reader) else { return nil }
        }
        // A new object, so that it has no tie to this reader; the memory moves, and a returned reply's takes its place.
        // By a pointer of its own: changing what `self.builder` points to in place, in a struct that cannot be copied,
        // makes the compiler's thread sanitizer write code that its verifier refuses (Swift 6.3.1). So in `fail`.
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

    /// Has the builder take the whole of a reply at once, where its end is known; most of what a value costs is its copy.
    private mutating func takeWhole() -> Bool {
        let count = self.wholeBytes
        self.wholeBytes = 0
        guard count > 0, let unread = unsafe self.unread, count <= unread.count else { return false }
        let builder = unsafe self.builder
        return unsafe builder.pointee.readInPlace(UnsafeRawBufferPointer(rebasing: unread[..<count]))
    }

    /// Takes back a reply, of this reader or another, to use its memory again; what was read from it is forgotten.
    ///
    /// At most `maximumRecycled` are kept. A big reply keeps its memory until an ordinary one comes back, and then
    /// everything kept shrinks to `keptBytes`.
    package mutating func recycle(_ reply: sending RESPReply) {
        guard self.failure == nil, self.recycled.count < Self.maximumRecycled else { return }
        let isBig = reply.usedBytes > Self.keptBytes
        reply.reset(keeping: isBig ? Self.keptBytesWhileBig : Self.keptBytes)
        if !isBig {
            for other in self.recycled { other.reset(keeping: Self.keptBytes) }
        }
        self.recycled.append(reply)
    }

    /// The memory held for input, for the reply being read and for later ones, in bytes; tests look at it.
    var heldBytes: Int {
        let recycled = self.recycled.reduce(0) { $0 + $1.heldBytes }
        let building = unsafe self.builder.pointee.tokens.capacityBytes + self.builder.pointee.arena.capacity
        return unsafe recycled + building + Int(self.reader?.pointee.len ?? 0)
    }
}

// MARK: - Looking ahead

extension RESPReader {
    /// The number of bytes fed that no reply has taken up.
    package var unreadBytes: Int {
        guard let reader = unsafe self.reader else { return 0 }
        return unsafe reader.pointee.len - reader.pointee.pos
    }

    /// Shows a scanner the bytes that no reply has taken up; the first of them must be a reply's first.
    ///
    /// A reply that is found to be whole is read faster by the next call of `next`.
    package mutating func scan(_ scanner: inout ReplyScanner) -> ReplyScanner.Progress {
        guard let unread = unsafe self.unread else { return .other }
        let progress = unsafe scanner.scan(unread)
        if case .whole(let bytes, _, _) = progress {
            self.wholeBytes = bytes
            self.wholeGoesByPosition = scanner.namesGoByPosition
        }
        return progress
    }

    /// Lends a range of the bytes that no reply has taken up; nil where there are not so many.
    package func withUnread<R>(_ range: Range<Int>, _ body: (Span<UInt8>) -> R) -> R? {
        guard let unread = unsafe self.unread, range.lowerBound >= 0, range.upperBound <= unread.count
        else { return nil }
        return body(unsafe UnsafeRawBufferPointer(rebasing: unread[range]).assumingMemoryBound(to: UInt8.self).span)
    }

    /// The bytes that no reply has taken up; valid until the reader changes.
    private var unread: UnsafeRawBufferPointer? {
        guard let reader = unsafe self.reader, let buffer = unsafe reader.pointee.buf else { return nil }
        return unsafe UnsafeRawBufferPointer(start: buffer + reader.pointee.pos, count: self.unreadBytes)
    }
}

// MARK: - Values that are too long

extension RESPReader {
    /// Has a byte string left out whose beginning has come, if it is too long; returns whether it was. Otherwise refuses
    /// what has only begun to come, if its announced or present length already breaks a limit.
    private mutating func replacePending(_ reader: UnsafeMutablePointer<redisReader>) throws(RESPError) -> Bool {
        let builder = unsafe self.builder
        guard unsafe builder.pointee.longValues != .refuse && sluiceReaderPendingType(reader) == REDIS_REPLY_STRING,
            let unread = unsafe self.unread, let (length, header) = unsafe Self.announcedLength(unread),
            self.isTooLong(length)
        else {
            try unsafe self.checkPending(reader)
            return false
        }
        // hiredis has read the type and looks for a length next. What it has of the string is overwritten at its end, where
        // the string goes on, with the length of a null; the string's other bytes never get there.
        let null: [4 of UInt8] = [0x2D, 0x31, 0x0D, 0x0A]
        guard unread.count >= null.count, let buffer = unsafe reader.pointee.buf else { return false }
        let rest = length + 2 - (unread.count - header)
        // Never, as hiredis would have read a string that is here.
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

    /// Whether a byte string of so many bytes is left out.
    private func isTooLong(_ length: Int) -> Bool {
        guard length <= Self.skippedBytes else { return false }
        switch unsafe self.builder.pointee.longValues {
        case .refuse: return false
        case .leaveOut: return length > self.limits.bulkBytes
        case .leaveOutToFit:
            return unsafe length > self.limits.bulkBytes || self.builder.pointee.exceedsReply(length)
        }
    }

    /// Throws away the bytes of a byte string that is left out; returns what stands behind it.
    private mutating func skip(_ bytes: UnsafeRawBufferPointer) throws(RESPError) -> UnsafeRawBufferPointer {
        let count = min(self.skipping, bytes.count)
        // The last two bytes are the line end.
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
    /// Refuses what has only begun to come, if its announced or present length already breaks a limit.
    private mutating func checkPending(_ reader: UnsafeMutablePointer<redisReader>) throws(RESPError) {
        let type = unsafe sluiceReaderPendingType(reader)
        guard type >= 0, let buffer = unsafe reader.pointee.buf else { return }
        let unread = unsafe UnsafeRawBufferPointer(
            start: buffer + reader.pointee.pos, count: reader.pointee.len - reader.pointee.pos)
        if type == REDIS_REPLY_STRING || type == REDIS_REPLY_VERB,
            let length = unsafe Self.announcedLength(unread)?.length
        {
            // To be left out as soon as there is room for what stands for it.
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

    /// The length in a byte string's header and how many bytes that has; `nil` if it has not come whole or is no length.
    private static func announcedLength(_ unread: UnsafeRawBufferPointer) -> (length: Int, header: Int)? {
        let line = unsafe unread.prefix(Self.maximumHeaderBytes + 2)
        guard let end = unsafe line.firstIndex(of: 0x0D), unsafe end + 1 < line.endIndex, unsafe line[end + 1] == 0x0A
        else { return nil }
        return unsafe Int(String(decoding: line[..<end], as: UTF8.self)).map { ($0, end + 2) }
    }

    /// The error for a hiredis reader that failed: ours, where a callback refused a value, or else its own text.
    private mutating func readerFailure(_ reader: UnsafeMutablePointer<redisReader>) -> RESPError {
        if let refusal = unsafe self.builder.pointee.refusal {
            return self.fail(Self.kind(refusal), self.text(refusal))
        }
        let text = unsafe String(cString: sluiceReaderErrorText(reader))
        if text.contains("nest") {
            // hiredis's own bound, which is ours plus one level.
            let refusal = ReplyBuilder.Refusal.limit(.nesting, found: RESPLimits.maximumNesting + 1)
            return self.fail(Self.kind(refusal), self.text(refusal))
        }
        let prefix = "Protocol error, "
        let what = text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
        return self.fail(.protocolViolation, what.isEmpty ? "unreadable" : what)
    }

    /// The kind of error that a refusal is.
    private static func kind(_ refusal: ReplyBuilder.Refusal) -> RESPError.Kind {
        switch refusal {
        case .limit(let name, _): .limitExceeded(name)
        case .unterminated, .attribute: .protocolViolation
        case .memory: .outOfMemory
        }
    }

    /// What a refusal says.
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

    /// The words for something above a limit.
    private func over(_ name: RESPLimits.Name, _ what: String) -> String {
        "\(what), the limit is \(self.limits[name]) (\(name.rawValue))"
    }

    /// Ends the stream: notes the error and gives the memory of the unfinished reply back.
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
