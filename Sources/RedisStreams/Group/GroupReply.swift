import RESP
import StageKit

/// Redelivered entries from a reply; they are few, so they are copied.
struct GroupReply: Sendable, Equatable {
    /// An entry.
    struct Entry: Sendable, Equatable {
        /// The entry's id.
        var id: EntryID
        /// The entry's alternating names and values.
        var fields: [[UInt8]]
        /// The fields that were too large to be read.
        var leftOut = LeftOutFields()
    }

    /// The requested entries that exist, in the order of their ids.
    var entries: [Entry] = []
    /// Pending entries that the stream no longer has.
    var deleted: [EntryID] = []
    /// The number of entries that the stream no longer has and whose ids are not reported: Redis 6.2's reply to
    /// XAUTOCLAIM.
    var nameless = 0

    /// Creates an empty reply.
    init() {}

    /// Parses the reply to XREADGROUP with an id; an entry that is gone has its id and no fields.
    init(backlog answer: RESPValue) throws(RedisError) {
        if case .error(let text) = answer { throw .answer(text, to: "XREADGROUP") }
        guard let streams = answer.array, streams.count == 1, let parts = streams[0].array, parts.count == 2,
            let list = parts[1].array
        else { throw .unexpectedAnswer(to: "XREADGROUP", "expected the entries of one stream") }
        try self.read(list, of: "XREADGROUP")
    }

    /// Parses the reply to XAUTOCLAIM: the id to continue at, the entries and, from 7.0 on, the ids of entries that are
    /// gone, which the server has removed from the pending entries. 6.2 returns null for an entry that is gone.
    init(claim answer: RESPValue) throws(RedisError) {
        if case .error(let text) = answer { throw .answer(text, to: "XAUTOCLAIM") }
        guard let parts = answer.array, (2...3).contains(parts.count), let list = parts[1].array else {
            throw .unexpectedAnswer(to: "XAUTOCLAIM", "expected a cursor and entries")
        }
        try self.read(list, of: "XAUTOCLAIM")
        if parts.count == 3 {
            guard let ids = parts[2].array else {
                throw .unexpectedAnswer(to: "XAUTOCLAIM", "expected a cursor and entries")
            }
            self.deleted += ids.compactMap { $0.string.flatMap { EntryID($0) } }
        }
    }

    private mutating func read(_ list: [RESPValue], of command: String) throws(RedisError) {
        for item in list {
            if item == .null {
                self.nameless += 1
                continue
            }
            guard let parts = item.array, parts.count == 2, let id = parts[0].string.flatMap({ EntryID($0) }) else {
                throw .unexpectedAnswer(to: command, "expected entries with an id, names and values")
            }
            if parts[1] == .null {
                self.deleted.append(id)
                continue
            }
            let (rest, leftOut) = LeftOutFields.remove(from: parts[1])
            let fields = rest.array?.compactMap(\.bytes) ?? []
            guard fields.count % 2 == 0, fields.count == rest.array?.count else {
                throw .unexpectedAnswer(to: command, "expected entries with an id, names and values")
            }
            self.entries.append(Entry(id: id, fields: fields, leftOut: leftOut))
        }
    }
}

extension EventBatch {
    /// Fills the batch with redelivered entries; an entry that was delivered too often, or that is too large, is
    /// refused.
    ///
    /// - Returns: The number of entries that were delivered too often.
    /// - Throws: `RedisError` if a value is too large and the policy is `halt`.
    func fill(
        _ entries: [GroupReply.Entry], _ take: GroupMachine.Take, _ machine: GroupMachine,
        _ oversized: OversizedPolicy = .fail
    ) throws(RedisError) -> Int {
        self.removeAll()
        var refused = 0
        for entry in entries {
            self.appendEntry(entry.id)
            for index in stride(from: 0, to: entry.fields.count, by: 2) {
                let name = self.copyToArena(entry.fields[index])
                let value = self.copyToArena(entry.fields[index + 1])
                self.appendField(name: name, value: value)
            }
            // An entry that became idle only after the query was delivered at least once before.
            let deliveries = take.deliveries[entry.id] ?? 2
            self.setDeliveries(deliveries)
            if let failure = machine.refusal(deliveries: deliveries) {
                self.refuse(failure)
                refused += 1
            } else {
                try entry.leftOut.refuse(in: self, oversized)
            }
        }
        self.takeOriginals()
        return refused
    }

    /// The ids of all events.
    var ids: [EntryID] {
        (0..<self.count).map { index in self.withEvent(at: index) { $0.id } }
    }
}
