import RESP
import RedisClient
import StageKit

// Entries that are handled one by one: those that a group delivers again, and those of a reply with values that are too
// large. Not the hot path.
extension XReadReply {
    /// The form of a reply with entries that are delivered again.
    enum Form: String, Sendable {
        /// The reply to XREADGROUP with an id. An entry that the stream no longer has comes with its id and no fields.
        case backlog = "XREADGROUP"
        /// The reply to XAUTOCLAIM: the id to continue at, the entries and, from 7.0 on, the ids of entries that are
        /// gone, which the server has removed from the pending entries. 6.2 returns null for an entry that is gone.
        case claim = "XAUTOCLAIM"
    }

    /// Fills a batch with entries that are delivered again, and moves the reply's bytes into it.
    ///
    /// - Parameters:
    ///   - redelivery: The known deliveries of the entries.
    ///   - oversized: How to handle an entry with a value that was too large to be read.
    /// - Throws: The server's error, `protocolViolation` if the reply does not have the form or has more than `limit`
    ///   entries, or `valueTooLarge` if a value is too large and the policy is `halt`. The contents of the batch are
    ///   useless then.
    static func fill(
        _ batch: EventBatch, from reply: RESPReply, _ form: Form, limit: Int, _ redelivery: Redelivery,
        oversized: OversizedPolicy = .fail
    ) throws(RedisError) -> Redelivery.Result {
        if let text = reply.errorMessage { throw .answer(text, to: form.rawValue) }
        let tokens = unsafe reply.tokens
        let start = form == .backlog ? Self.firstEntry : 3
        let count = form == .backlog ? unsafe self.entryCount(tokens) : unsafe self.claimedCount(tokens)
        guard let count, count <= limit else {
            throw self.malformed(
                form == .backlog ? "expected the entries of one stream" : "expected a cursor and entries",
                form.rawValue)
        }
        batch.removeAll()
        let bytes = unsafe self.moveBytes(of: reply, to: batch)
        var result: Redelivery.Result? = Redelivery.Result()
        var (_, index) = unsafe try self.appendOneByOne(
            tokens, bytes, from: start, count, to: batch, after: .zero, of: form.rawValue, oversized, redelivery,
            &result)
        var found = result ?? Redelivery.Result()
        found.count = batch.count
        if form == .claim, unsafe tokens[0].length == 3 {
            found.deleted += unsafe try self.ids(tokens, bytes, at: &index)
        }
        guard index == tokens.count else { throw self.malformed("expected the entries of one stream", form.rawValue) }
        batch.takeOriginals()
        return found
    }

    /// Returns the number of entries in the reply to XAUTOCLAIM, or `nil` if it has another form.
    private static func claimedCount(_ tokens: UnsafeBufferPointer<RESPToken>) -> Int? {
        guard tokens.count >= 3, unsafe tokens[0].isArray, unsafe (2...3).contains(tokens[0].length),
            unsafe tokens[1].isBulkString, unsafe tokens[2].isArray
        else { return nil }
        return unsafe Int(tokens[2].length)
    }

    /// Appends entries and records for each the values that were left out and, with a redelivery, its deliveries.
    /// Entries that are gone are only listed in the result.
    ///
    /// - Returns: The id of the last entry, and the index of the value after it.
    static func appendOneByOne(
        _ tokens: UnsafeBufferPointer<RESPToken>, _ bytes: UnsafeRawBufferPointer, from start: Int, _ count: Int,
        to batch: EventBatch, after cursor: EntryID, of command: String, _ oversized: OversizedPolicy,
        _ redelivery: Redelivery?, _ result: inout Redelivery.Result?
    ) throws(RedisError) -> (last: EntryID, index: Int) {
        var last = cursor
        var lastRange = 0..<0
        var index = start
        for _ in 0..<count {
            if redelivery != nil, let gone = unsafe self.gone(tokens, at: index, bytes) {
                index = gone.end
                if let id = gone.id { result?.deleted.append(id) } else { result?.nameless += 1 }
                continue
            }
            let head = unsafe try self.head(tokens, at: index, bytes, behind: last, lastRange, of: command)
            (last, lastRange) = (head.id, head.range)
            batch.appendEntry(last)
            let leftOut = unsafe try self.write(
                UnsafeBufferPointer(rebasing: tokens[(index + 3)..<head.end]), bytes, to: batch, of: command)
            index = head.end
            if let redelivery, redelivery.record(last, in: batch) {
                result?.refused += 1
            } else {
                try leftOut.refuse(in: batch, oversized)
            }
        }
        return (last, index)
    }

    /// Returns the index after the value at an index if it stands for an entry that is gone, with its id if the server
    /// returns it; `nil` for any other value.
    private static func gone(
        _ tokens: UnsafeBufferPointer<RESPToken>, at index: Int, _ bytes: UnsafeRawBufferPointer
    ) -> (id: EntryID?, end: Int)? {
        guard index < tokens.count else { return nil }
        if unsafe tokens[index].kind == .null { return (nil, index + 1) }
        guard index + 3 <= tokens.count, unsafe tokens[index].isArray, unsafe tokens[index].length == 2,
            unsafe tokens[index + 1].isBulkString, unsafe tokens[index + 2].kind == .null,
            let id = unsafe self.id(in: bytes, tokens[index + 1].range, behind: .zero, 0..<0)
        else { return nil }
        return (id, index + 3)
    }

    /// Returns the ids in the list at an index, and advances the index past it.
    private static func ids(
        _ tokens: UnsafeBufferPointer<RESPToken>, _ bytes: UnsafeRawBufferPointer, at index: inout Int
    ) throws(RedisError) -> [EntryID] {
        guard index < tokens.count, unsafe tokens[index].isArray,
            unsafe index + 1 + Int(tokens[index].length) <= tokens.count
        else { throw self.malformed("expected the ids of entries that are gone", Form.claim.rawValue) }
        let end = unsafe index + 1 + Int(tokens[index].length)
        defer { index = end }
        var ids: [EntryID] = []
        for position in (index + 1)..<end {
            let token = unsafe tokens[position]
            guard token.isBulkString, let id = unsafe self.id(in: bytes, token.range, behind: .zero, 0..<0) else {
                throw self.malformed("expected the ids of entries that are gone", Form.claim.rawValue)
            }
            ids.append(id)
        }
        return ids
    }

    /// Adds the fields of an entry; returns those from which names or values were left out.
    private static func write(
        _ tokens: UnsafeBufferPointer<RESPToken>, _ bytes: UnsafeRawBufferPointer, to batch: EventBatch,
        of command: String
    ) throws(RedisError) -> LeftOutFields {
        var leftOut = LeftOutFields()
        for index in stride(from: 0, to: tokens.count, by: 2) {
            let (name, value) = unsafe (tokens[index], tokens[index + 1])
            if let long = [name, value].first(where: { $0.kind == .tooLong }) {
                let size = unsafe String(decoding: bytes[long.range], as: UTF8.self)
                leftOut.append(name.kind == .tooLong ? nil : unsafe Array(bytes[name.range]), bytes: size)
                continue
            }
            guard name.isText, value.isText else {
                throw self.malformed("expected names and values as strings", command)
            }
            batch.appendField(
                name: ByteRange(offset: name.offset, length: name.length),
                value: ByteRange(offset: value.offset, length: value.length))
        }
        return leftOut
    }
}
