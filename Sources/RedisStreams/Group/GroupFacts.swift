import RESP
import RedisClient
import StageKit

/// A server's report on a consumer group at one moment.
///
/// Source: Redis commands, XINFO GROUPS. Redis 6.2 reports neither the number of entries read nor the lag; 7.0 reports
/// null if it does not know them.
struct GroupFacts: Equatable, Sendable {
    /// The id up to which entries were delivered to the group.
    var delivered: EntryID
    /// The number of entries that were delivered but not acknowledged.
    var pending: Int
    /// The number of workers that the group knows.
    var consumers: Int
    /// The number of entries of the stream that were delivered to the group so far, as counted by `entries-added`, or
    /// `nil` if not reported.
    var read: UInt64?
    /// The number of entries still to be delivered, or `nil` if not reported.
    var lag: UInt64?

    /// Returns the command whose reply contains these facts.
    static func command(_ stream: String) -> RESPCommand { RESPCommand("XINFO", "GROUPS", stream) }

    /// Finds a group in the reply to XINFO GROUPS; returns `nil` if it does not exist.
    ///
    /// - Throws: `protocolViolation` for an unexpected reply.
    static func find(_ name: String, in answer: RESPValue) throws(RedisError) -> GroupFacts? {
        guard let groups = answer.array else { throw .unexpectedAnswer(to: "XINFO", "expected a list of groups") }
        for group in groups {
            guard let list = group.array, list.count % 2 == 0 else {
                throw .unexpectedAnswer(to: "XINFO", "expected the facts of a group")
            }
            var members: [String: RESPValue] = [:]
            for index in stride(from: 0, to: list.count, by: 2) {
                if let name = list[index].string { members[name] = list[index + 1] }
            }
            guard members["name"]?.string == name else { continue }
            guard let delivered = members["last-delivered-id"]?.string.flatMap({ EntryID($0) }),
                let pending = members["pending"]?.integer, let consumers = members["consumers"]?.integer
            else { throw .unexpectedAnswer(to: "XINFO", "expected the facts of a group") }
            return GroupFacts(
                delivered: delivered, pending: Int(clamping: pending), consumers: Int(clamping: consumers),
                read: members["entries-read"]?.integer.flatMap { UInt64(exactly: $0) },
                lag: members["lag"]?.integer.flatMap { UInt64(exactly: $0) })
        }
        return nil
    }

    /// Returns the number of entries of a stream that are still to be delivered, or `nil` if unknown.
    ///
    /// The server reports null if it does not know how many entries precede the group's last-delivered id (after XDEL,
    /// or if the group began in the middle). Ids still answer two cases: no entry is after that id, or all entries are.
    func lag(in stream: StreamFacts) -> UInt64? {
        guard let last = stream.last, last > self.delivered else { return 0 }
        if let lag = self.lag { return lag }
        if let first = stream.first, first > self.delivered { return stream.length }
        guard let added = stream.added, let read = self.read, added >= read else { return nil }
        return added - read
    }
}

/// An entry that was delivered to a worker of a group and is not acknowledged, as reported by XPENDING.
struct PendingEntry: Equatable, Sendable {
    /// The entry's id.
    var id: EntryID
    /// The worker that has it.
    var consumer: String
    /// Time since the entry was delivered or its idle time was last reset.
    var idle: Duration
    /// The number of deliveries.
    var deliveries: Int

    /// Parses the reply to an extended XPENDING; returns `nil` for an unexpected reply.
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
