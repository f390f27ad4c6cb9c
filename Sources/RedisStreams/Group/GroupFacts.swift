import RESP
import StageKit

/// What a server tells of a consumer group at one moment.
///
/// Source: Redis commands, XINFO GROUPS. Redis 6.2 tells neither how many entries were read nor the lag; 7.0 tells null
/// where it does not know.
struct GroupFacts: Equatable, Sendable {
    /// The id up to which entries were delivered to the group.
    var delivered: EntryID
    /// How many entries were delivered and not acknowledged.
    var pending: Int
    /// How many workers it knows.
    var consumers: Int
    /// How many entries of the stream were delivered to the group so far, as `entries-added` counts them; nil where not
    /// told.
    var read: UInt64?
    /// How many entries are still to be delivered; nil where not told.
    var lag: UInt64?

    /// The command whose answer this is.
    static func command(_ stream: String) -> RESPCommand { RESPCommand("XINFO", "GROUPS", stream) }

    /// Finds a group in the answer to XINFO GROUPS.
    ///
    /// Throws `protocolViolation` for an answer of another shape; nil where there is no such group.
    static func find(_ name: String, in answer: RESPValue) throws(RedisError) -> GroupFacts? {
        guard let groups = answer.array else { throw .unexpectedAnswer(to: "XINFO", "an answer of another shape") }
        for group in groups {
            guard let list = group.array, list.count % 2 == 0 else {
                throw .unexpectedAnswer(to: "XINFO", "a group of another shape")
            }
            var members: [String: RESPValue] = [:]
            for index in stride(from: 0, to: list.count, by: 2) {
                if let name = list[index].string { members[name] = list[index + 1] }
            }
            guard members["name"]?.string == name else { continue }
            guard let delivered = members["last-delivered-id"]?.string.flatMap({ EntryID($0) }),
                let pending = members["pending"]?.integer, let consumers = members["consumers"]?.integer
            else { throw .unexpectedAnswer(to: "XINFO", "a group of another shape") }
            return GroupFacts(
                delivered: delivered, pending: Int(clamping: pending), consumers: Int(clamping: consumers),
                read: members["entries-read"]?.integer.flatMap { UInt64(exactly: $0) },
                lag: members["lag"]?.integer.flatMap { UInt64(exactly: $0) })
        }
        return nil
    }

    /// How many entries of a stream are still to be delivered; nil where that cannot be told.
    ///
    /// The server's own number is null as soon as it does not know where in the count the group stands (after XDEL, or
    /// where a group began in the middle); ids tell more: nothing behind the place, or all that there is behind it.
    func lag(in stream: StreamFacts) -> UInt64? {
        guard let last = stream.last, last > self.delivered else { return 0 }
        if let lag = self.lag { return lag }
        if let first = stream.first, first > self.delivered { return stream.length }
        guard let added = stream.added, let read = self.read, added >= read else { return nil }
        return added - read
    }
}

/// An entry that was delivered to a worker of a group and is not acknowledged, as XPENDING tells it.
struct PendingEntry: Equatable, Sendable {
    /// The entry's id.
    var id: EntryID
    /// The worker that has it.
    var consumer: String
    /// How long ago there was the last sign of life of it.
    var idle: Duration
    /// How often it was delivered.
    var deliveries: Int

    /// Reads the answer to an extended XPENDING; nil for another shape.
    static func list(_ answer: RESPValue) -> [PendingEntry]? {
        guard let rows = answer.array else { return nil }
        let entries = rows.compactMap { row -> PendingEntry? in
            guard let row = row.array, row.count == 4, let id = row[0].string.flatMap({ EntryID($0) }),
                let consumer = row[1].string, let idle = row[2].integer, let deliveries = row[3].integer
            else { return nil }
            return PendingEntry(
                id: id, consumer: consumer, idle: .milliseconds(idle), deliveries: Int(clamping: deliveries))
        }
        return entries.count == rows.count ? entries : nil
    }
}
