import RESP
import StageKit

/// The commands of one consumer of one group on one stream.
struct GroupCommands: Sendable {
    /// Maximum number of entries per query; the reply has some tens of KiB.
    static let pageSize = 1000
    /// Maximum number of ids in one XACK or XCLAIM; each takes the server about a microsecond, during which it serves
    /// no other client.
    static let idsAtOnce = 1000
    /// The idle time that makes an entry look abandoned to every worker, whatever its `claim_after`: a day.
    static let handedBackIdle = Duration.seconds(86_400)

    /// The stream's key.
    let stream: String
    /// The group's name.
    let group: String
    /// This worker's consumer name.
    let consumer: String

    // MARK: Reading

    /// Returns the read of entries that were not delivered to any worker; see `XReadCommand`.
    func read(count: Int, blockMilliseconds: Int64) -> RESPCommand {
        RESPCommand(
            "XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count, "BLOCK", blockMilliseconds, "STREAMS",
            self.stream, ">")
    }

    /// Returns the read of this worker's pending entries after an id.
    func backlog(after id: EntryID, count: Int) -> RESPCommand {
        RESPCommand(
            "XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count, "STREAMS", self.stream, id.description)
    }

    /// Returns the command that claims up to `count` entries, starting at an id, that have been idle for at least
    /// `idle`.
    func claim(from id: EntryID, count: Int, idle: Duration) -> RESPCommand {
        RESPCommand(
            "XAUTOCLAIM", self.stream, self.group, self.consumer, idle.microseconds / 1000, id.description, "COUNT",
            count)
    }

    // MARK: Pending entries

    /// Returns the query for this worker's pending entries after an id, or `nil` after the greatest id, because the
    /// server refuses an empty range.
    func own(after id: EntryID?, count: Int = GroupCommands.pageSize) -> RESPCommand? {
        if id == .max { return nil }
        return RESPCommand("XPENDING", self.stream, self.group, id.map { "(\($0)" } ?? "-", "+", count, self.consumer)
    }

    /// Returns the query for this worker's pending entries that have been idle for at least `idle`.
    func own(idle: Duration) -> RESPCommand {
        RESPCommand(
            "XPENDING", self.stream, self.group, "IDLE", idle.microseconds / 1000, "-", "+", Self.pageSize,
            self.consumer)
    }

    /// The query for the pending entries of all workers.
    var pending: RESPCommand { RESPCommand("XPENDING", self.stream, self.group, "-", "+", Self.pageSize) }

    /// Returns the query for the pending entries of all workers that have been idle for at least `idle`.
    func abandoned(idle: Duration, count: Int) -> RESPCommand {
        RESPCommand("XPENDING", self.stream, self.group, "IDLE", idle.microseconds / 1000, "-", "+", count)
    }

    /// Returns the command that acknowledges entries.
    func acknowledge(_ ids: ArraySlice<EntryID>) -> RESPCommand {
        RESPCommand("XACK", arguments: [self.stream.respBytes, self.group.respBytes] + ids.map(\.digits))
    }

    /// Returns the command that resets the idle time of this worker's entries; entries that another worker has claimed
    /// in the meantime stay with that worker.
    func beat(_ ids: ArraySlice<EntryID>, idle: Duration) -> RESPCommand {
        self.claim(ids, for: self.consumer, minimumIdle: idle, ["JUSTID".respBytes])
    }

    /// Returns the command that sets the delivery count of this worker's entries, unless another worker has claimed
    /// them since they were found idle for `idle`.
    func count(_ ids: ArraySlice<EntryID>, deliveries: Int, idle: Duration) -> RESPCommand {
        self.claim(
            ids, for: self.consumer, minimumIdle: idle,
            ["RETRYCOUNT".respBytes, deliveries.respBytes, "JUSTID".respBytes])
    }

    /// Returns the query for an entry in the pending entries of all workers.
    func pending(at id: EntryID) -> RESPCommand {
        RESPCommand("XPENDING", self.stream, self.group, id.description, id.description, 1)
    }

    /// Returns the command that lets others claim entries of this worker immediately, with the delivery count
    /// `deliveries`.
    func handBack(_ ids: ArraySlice<EntryID>, deliveries: Int) -> RESPCommand {
        self.claim(
            ids, for: self.consumer, minimumIdle: .zero,
            [
                "IDLE".respBytes, Int(Self.handedBackIdle.microseconds / 1000).respBytes, "RETRYCOUNT".respBytes,
                deliveries.respBytes, "JUSTID".respBytes,
            ])
    }

    /// Returns the command that restores the pending entries of a lost group.
    func restore(_ ids: ArraySlice<EntryID>, of consumer: String, idle: Duration, deliveries: Int) -> RESPCommand {
        self.claim(
            ids, for: consumer, minimumIdle: .zero,
            [
                "IDLE".respBytes, Int(idle.microseconds / 1000).respBytes, "RETRYCOUNT".respBytes,
                deliveries.respBytes, "FORCE".respBytes, "JUSTID".respBytes,
            ])
    }

    private func claim(
        _ ids: ArraySlice<EntryID>, for consumer: String, minimumIdle: Duration, _ options: [[UInt8]]
    ) -> RESPCommand {
        let head = [
            self.stream.respBytes, self.group.respBytes, consumer.respBytes,
            Int(minimumIdle.microseconds / 1000).respBytes,
        ]
        return RESPCommand("XCLAIM", arguments: head + ids.map(\.digits) + options)
    }

    // MARK: The group

    /// Returns the command that creates the group, and the stream if it does not exist; `$` is the end of the stream at
    /// that moment.
    func create(at place: String) -> RESPCommand {
        RESPCommand("XGROUP", "CREATE", self.stream, self.group, place, "MKSTREAM")
    }

    /// The command that removes this worker from the group, together with its pending entries.
    var leave: RESPCommand { self.remove(self.consumer) }

    /// The query for the group's consumers.
    var consumers: RESPCommand { RESPCommand("XINFO", "CONSUMERS", self.stream, self.group) }

    /// Returns the query for one pending entry of a consumer.
    func pending(of consumer: String) -> RESPCommand {
        RESPCommand("XPENDING", self.stream, self.group, "-", "+", 1, consumer)
    }

    /// Returns the command that removes a consumer from the group, together with its pending entries.
    func remove(_ consumer: String) -> RESPCommand {
        RESPCommand("XGROUP", "DELCONSUMER", self.stream, self.group, consumer)
    }

    /// Returns the command that ends the blocked read of a connection.
    static func unblock(_ connection: Int64) -> RESPCommand { RESPCommand("CLIENT", "UNBLOCK", connection) }
}

extension EntryID {
    /// The id in Redis notation, as bytes.
    var digits: [UInt8] {
        var bytes: [UInt8] = []
        // Two numbers of up to twenty digits and the dash.
        bytes.reserveCapacity(41)
        Self.append(self.milliseconds, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        Self.append(self.sequence, to: &bytes)
        return bytes
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        let start = bytes.count
        var rest = number
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        bytes[start...].reverse()
    }
}
