import RESP
import RedisClient
import StageKit

/// Turns the reply to a read of one stream into a batch, without allocating.
///
/// New entries and entries that are delivered again take the same path; the latter have more to record of each, and
/// some of them may no longer exist (`XReadReply+Redelivery.swift`).
enum XReadReply {
    /// The content of a reply.
    enum Content: Equatable {
        /// No entry arrived within the block time.
        case nothing
        /// The batch has `count` events; `last` is the id of the last one.
        case entries(count: Int, last: EntryID)
    }

    /// The command's name in errors.
    static let name = "XREAD"

    /// Fills a batch with the entries of a reply and moves the reply's bytes into it. Afterwards the reply has no
    /// bytes.
    ///
    /// - Parameters:
    ///   - command: The command's name in errors.
    ///   - oversized: How to handle an entry with a value that was too large to be read.
    /// - Throws: The server's error, or `protocolViolation` if the reply is not one stream with at most `limit` entries
    ///   whose ids ascend from `cursor`. The contents of the batch are useless then.
    static func fill(
        _ batch: EventBatch, from reply: RESPReply, after cursor: EntryID, limit: Int,
        of command: String = XReadReply.name, oversized: OversizedPolicy = .fail
    ) throws(RedisError) -> Content {
        if let text = reply.errorMessage { throw .answer(text, to: command) }
        // Fetched once, because every access to the reply is checked for exclusivity.
        let tokens = unsafe reply.tokens
        if unsafe tokens.first?.kind == .null { return .nothing }
        guard let count = unsafe self.entryCount(tokens), 1 <= count && count <= limit else {
            throw self.malformed("expected the entries of one stream", command)
        }
        batch.removeAll()
        let bytes = unsafe self.moveBytes(of: reply, to: batch)
        let end: (last: EntryID, index: Int)
        if reply.hasLongValues {
            var none: Redelivery.Result?
            end = unsafe try self.appendOneByOne(
                tokens, bytes, from: self.firstEntry, count, to: batch, after: cursor, of: command, oversized, nil,
                &none)
        } else {
            end = unsafe try self.append(tokens, bytes, count, to: batch, after: cursor, of: command)
        }
        guard end.index == tokens.count else {
            throw self.malformed("expected the entries of one stream only", command)
        }
        if reply.namesGoByPosition { batch.markNamesByPosition() }
        batch.takeOriginals()
        return .entries(count: count, last: end.last)
    }

    /// The index of the first entry in the reply to a read of one stream.
    static let firstEntry = 4

    /// Returns the number of entries in the reply to a read of one stream, or `nil` if it has another form.
    @inline(__always)
    static func entryCount(_ tokens: UnsafeBufferPointer<RESPToken>) -> Int? {
        guard tokens.count >= Self.firstEntry, unsafe tokens[0].isArray, unsafe tokens[0].length == 1,
            unsafe tokens[1].isArray, unsafe tokens[1].length == 2, unsafe tokens[2].isBulkString,
            unsafe tokens[3].isArray
        else { return nil }
        return unsafe Int(tokens[3].length)
    }

    /// Swaps the reply's bytes with the batch's arena, so that both reuse their memory.
    ///
    /// - Returns: The bytes, which are now in the batch; they stay in place until something is added to its arena.
    static func moveBytes(of reply: RESPReply, to batch: EventBatch) -> UnsafeRawBufferPointer {
        var (memory, capacity, count) = unsafe reply.takeBytes().release()
        guard var base = unsafe memory?.assumingMemoryBound(to: UInt8.self) else {
            return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        }
        unsafe memory = nil
        let bytes = unsafe UnsafeRawBufferPointer(start: base, count: count)
        // Both sides allocate with malloc and release with free, so either may free the memory.
        unsafe batch.exchangeArena(base: &base, capacity: &capacity, count: &count)
        _ = unsafe reply.exchangeBytes(RESPArena(adopting: base, capacity: capacity, count: 0))
        return unsafe bytes
    }

    /// Appends the entries, each an array of an id and an array of alternating names and values.
    ///
    /// - Returns: The id of the last entry, and the index of the value after it.
    private static func append(
        _ tokens: UnsafeBufferPointer<RESPToken>, _ bytes: UnsafeRawBufferPointer, _ count: Int,
        to batch: EventBatch, after cursor: EntryID, of command: String
    ) throws(RedisError) -> (last: EntryID, index: Int) {
        var last = cursor
        // The bytes of the last id; empty if there is none yet.
        var lastRange = 0..<0
        var index = Self.firstEntry
        for _ in 0..<count {
            let head = unsafe try self.head(tokens, at: index, bytes, behind: last, lastRange, of: command)
            (last, lastRange) = (head.id, head.range)
            let names = unsafe UnsafeBufferPointer(rebasing: tokens[(index + 3)..<head.end])
            let room = unsafe batch.appendEntry(last, fieldCount: names.count / 2)
            guard unsafe self.write(names, to: room) else {
                throw self.malformed("expected names and values as strings", command)
            }
            index = head.end
        }
        return (last, index)
    }

    /// Checks the first three values of the entry at an index: the entry, its id and its fields.
    ///
    /// - Returns: The id, the range of its bytes, and the index after the entry.
    @inline(__always)
    static func head(
        _ tokens: UnsafeBufferPointer<RESPToken>, at index: Int, _ bytes: UnsafeRawBufferPointer,
        behind last: EntryID, _ lastRange: Range<Int>, of command: String
    ) throws(RedisError) -> (id: EntryID, range: Range<Int>, end: Int) {
        guard index + 3 <= tokens.count else { throw self.malformed("the reply ends within an entry", command) }
        let (entry, idToken, fields) = unsafe (tokens[index], tokens[index + 1], tokens[index + 2])
        guard entry.isArray, entry.length == 2, idToken.isBulkString, fields.isArray, fields.length % 2 == 0 else {
            throw self.malformed("expected entries with an id, names and values", command)
        }
        precondition(idToken.range.upperBound <= bytes.count, "a value outside the reply's bytes")
        let id = unsafe self.id(in: bytes, idToken.range, behind: last, lastRange)
        guard let id, last < id else { throw self.malformed("expected an entry id above the last one", command) }
        let end = index + 3 + Int(fields.length)
        guard end <= tokens.count else { throw self.malformed("the reply ends within an entry", command) }
        return (id, idToken.range, end)
    }

    /// Returns the id in a range of the bytes, which follows the id `last`, or `nil` if there is none.
    @inline(__always)
    static func id(
        in bytes: UnsafeRawBufferPointer, _ range: Range<Int>, behind last: EntryID, _ lastRange: Range<Int>
    ) -> EntryID? {
        let bytes = unsafe bytes.assumingMemoryBound(to: UInt8.self).span
        return EntryID(utf8: bytes.extracting(range), behind: last, bytes.extracting(lastRange))
    }

    /// Writes the fields of an entry from alternating names and values. Returns `false` if one of them is not text; the
    /// fields are useless then.
    @inline(__always)
    private static func write(
        _ tokens: UnsafeBufferPointer<RESPToken>, to fields: UnsafeMutableBufferPointer<RawField>
    ) -> Bool {
        var isText = true
        for field in 0..<fields.count {
            let (name, value) = unsafe (tokens[2 &* field], tokens[2 &* field &+ 1])
            isText = isText && name.isText && value.isText
            unsafe fields.initializeElement(
                at: field,
                to: RawField(
                    name: ByteRange(offset: name.offset, length: name.length),
                    value: ByteRange(offset: value.offset, length: value.length)))
        }
        return isText
    }

    /// Returns the error for a reply of another form.
    static func malformed(_ what: String, _ command: String) -> RedisError {
        .unexpectedAnswer(to: command, what)
    }
}

extension RESPToken {
    /// Whether the value is a list.
    var isArray: Bool {
        if case .array = self.kind { true } else { false }
    }

    /// Whether the value is a byte string.
    var isBulkString: Bool {
        if case .bulkString = self.kind { true } else { false }
    }

    /// Whether the value's bytes are its text; numbers are read as text, as in other clients.
    @inline(__always)
    var isText: Bool {
        if case .bulkString = self.kind { return true }
        return self.isRareText
    }

    private var isRareText: Bool {
        switch self.kind {
        case .bulkString, .simpleString, .integer, .double, .boolean, .bigNumber: true
        case .verbatim, .error, .null, .array, .map, .set, .push, .tooLong: false
        }
    }
}
