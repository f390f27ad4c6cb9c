import RESP
import StageKit

/// The commands of one consumer of one group on one stream.
struct GroupCommands: Sendable {
    /// Entries asked about at once: an answer of some tens of KiB.
    static let pageSize = 1000
    /// Ids in one XACK or XCLAIM: each costs the server about a microsecond, during which it serves nobody else.
    static let idsAtOnce = 1000
    /// What makes an entry look abandoned to every worker, whatever its `claim_after`: a day.
    static let handedBackIdle = Duration.seconds(86_400)

    /// The stream's key.
    let stream: String
    /// The group.
    let group: String
    /// What this worker is called in it.
    let consumer: String

    // MARK: Reading

    /// The read of entries that were delivered to nobody, encoded: the same each time.
    func read(count: Int, block: Duration) -> [UInt8] {
        RESPCommand(
            "XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count, "BLOCK",
            max(1, block.microseconds / 1000), "STREAMS", self.stream, ">"
        ).encoded()
    }

    /// Entries that this worker has already, behind an id.
    func backlog(after id: EntryID, count: Int) -> RESPCommand {
        RESPCommand(
            "XREADGROUP", "GROUP", self.group, self.consumer, "COUNT", count, "STREAMS", self.stream, id.description)
    }

    /// Takes over up to `count` entries from an id on that have been idle for so long.
    func claim(from id: EntryID, count: Int, idle: Duration) -> RESPCommand {
        RESPCommand(
            "XAUTOCLAIM", self.stream, self.group, self.consumer, idle.microseconds / 1000, id.description, "COUNT",
            count)
    }

    // MARK: Pending entries

    /// What this worker has, behind an id.
    func own(after id: EntryID?, count: Int = GroupCommands.pageSize) -> RESPCommand {
        RESPCommand("XPENDING", self.stream, self.group, id.map { "(\($0)" } ?? "-", "+", count, self.consumer)
    }

    /// What this worker has and has given no sign of life of for so long.
    func own(idle: Duration) -> RESPCommand {
        RESPCommand(
            "XPENDING", self.stream, self.group, "IDLE", idle.microseconds / 1000, "-", "+", Self.pageSize,
            self.consumer)
    }

    /// What anybody has.
    var pending: RESPCommand { RESPCommand("XPENDING", self.stream, self.group, "-", "+", Self.pageSize) }

    /// What anybody has that there was no sign of life of for so long.
    func abandoned(idle: Duration, count: Int) -> RESPCommand {
        RESPCommand("XPENDING", self.stream, self.group, "IDLE", idle.microseconds / 1000, "-", "+", count)
    }

    /// Says that the entries have their outcome.
    func acknowledge(_ ids: ArraySlice<EntryID>) -> RESPCommand {
        RESPCommand("XACK", arguments: [self.stream.respBytes, self.group.respBytes] + ids.map(\.digits))
    }

    /// A sign of life of entries that this worker has; what another has taken over meanwhile stays there.
    func beat(_ ids: ArraySlice<EntryID>, idle: Duration) -> RESPCommand {
        self.claim(ids, for: self.consumer, minimumIdle: idle, ["JUSTID".respBytes])
    }

    /// Sets how often entries of this worker count as delivered, unless another worker has claimed them since they were
    /// found idle for so long.
    func count(_ ids: ArraySlice<EntryID>, deliveries: Int, idle: Duration) -> RESPCommand {
        self.claim(
            ids, for: self.consumer, minimumIdle: idle,
            ["RETRYCOUNT".respBytes, deliveries.respBytes, "JUSTID".respBytes])
    }

    /// Whether anybody has an entry.
    func pending(at id: EntryID) -> RESPCommand {
        RESPCommand("XPENDING", self.stream, self.group, id.description, id.description, 1)
    }

    /// Lets others claim entries of this worker immediately, as entries that were delivered so often.
    func handBack(_ ids: ArraySlice<EntryID>, deliveries: Int) -> RESPCommand {
        self.claim(
            ids, for: self.consumer, minimumIdle: .zero,
            [
                "IDLE".respBytes, Int(Self.handedBackIdle.microseconds / 1000).respBytes, "RETRYCOUNT".respBytes,
                deliveries.respBytes, "JUSTID".respBytes,
            ])
    }

    /// Puts entries back that a group had which is gone.
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

    /// Makes the group, and the stream where there is none; `$` is the stream's end at that moment.
    func create(at place: String) -> RESPCommand {
        RESPCommand("XGROUP", "CREATE", self.stream, self.group, place, "MKSTREAM")
    }

    /// Takes this worker out of the group, and with it all it has.
    var leave: RESPCommand { RESPCommand("XGROUP", "DELCONSUMER", self.stream, self.group, self.consumer) }

    /// Ends the blocked read of a connection.
    static func unblock(_ connection: Int64) -> RESPCommand { RESPCommand("CLIENT", "UNBLOCK", connection) }
}

extension EntryID {
    /// The id as Redis writes it, as bytes.
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
