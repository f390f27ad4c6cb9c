import RedisStreams
import StageKit

/// What an entry says of its session.
enum SessionState: UInt8, Sendable {
    /// It is good.
    case active
    /// It is cut off.
    case revoked
    /// Nothing that can be relied on: the entry is malformed, and the session is taken out.
    case malformed
}

/// An entry of the modelled stream.
struct ModelEntry: Sendable, Equatable {
    /// Its id.
    var id: EntryID
    /// The session it is about.
    var session: Int
    /// What it says.
    var state: SessionState
    /// Its number among all entries of a life; what is in `Ledger.fates` under it became of the entry.
    var serial: Int
    /// The stream it was added to, as `ModelServer.Stream.lineage` numbers them.
    var lineage = 0
}

/// What became of an entry.
struct Fate: Sendable {
    /// The entry.
    var entry: ModelEntry
    /// When it was added.
    var added: Int
    /// When it went; nil while it is there.
    var gone: Int?
    /// When its stream went, or its server forgot that it had it; nil while it is part of the stream's past.
    var undone: Int?
    /// Whether its server was never to have it, as one that is an older copy is.
    var isLostWrite = false
    /// When a failover to an older copy undid its removal, or `nil` if it was not undone.
    var cameBack: Int?

    /// Whether the entry was in its stream at that time.
    func isThere(at time: Int) -> Bool {
        self.added <= time && self.gone.map { $0 > time } ?? true && self.undone.map { $0 > time } ?? true
    }
}

/// A Redis stream and the keys beside it, as a server has them: what commands do to them is what Redis does.
struct ModelServer: Sendable {
    /// The stream.
    struct Stream: Sendable {
        /// The entries it holds.
        var entries: [ModelEntry] = []
        /// last-generated-id.
        var generated = EntryID.zero
        /// entries-added.
        var added: UInt64 = 0
        /// max-deleted-entry-id.
        var deleted = EntryID.zero
        /// Rises with every stream under the name that comes of nothing.
        var lineage: Int
    }

    /// What a key holds: a session as of its last entry.
    struct Key: Sendable, Equatable {
        /// What it says.
        var state: SessionState
        /// The entry that tells of it.
        var serial: Int
    }

    /// The stream; nil where there is none.
    var stream: Stream?
    /// The keys by session; nil where there is none.
    var keys: [Key?]
    /// The run id.
    var runID = "run0"
    /// Milliseconds that its clock is off.
    var clockSkew: Int = 0
    /// Whether it tells what Redis 7 tells of a stream.
    var tellsCounts: Bool

    /// A server with nothing in it.
    init(sessions: Int, tellsCounts: Bool) {
        self.keys = Array(repeating: nil, count: sessions)
        self.tellsCounts = tellsCounts
    }

    /// What XINFO STREAM tells; nil where there is no stream.
    var facts: StreamFacts? {
        self.stream.map { stream in
            StreamFacts(
                length: UInt64(stream.entries.count), first: stream.entries.first?.id, last: stream.entries.last?.id,
                generated: stream.generated, deleted: self.tellsCounts ? stream.deleted : nil,
                added: self.tellsCounts ? stream.added : nil)
        }
    }

    /// The id that XADD gives by itself at a time.
    func nextID(at time: Int) -> EntryID {
        let now = UInt64(max(1, time + self.clockSkew))
        let last = self.stream?.generated ?? .zero
        return now > last.milliseconds
            ? EntryID(milliseconds: now, sequence: 0)
            : EntryID(milliseconds: last.milliseconds, sequence: last.sequence + 1)
    }

    /// What XREAD finds behind an id.
    func entries(behind id: EntryID, limit: Int) -> [ModelEntry] {
        guard let entries = self.stream?.entries, let last = entries.last, last.id > id else { return [] }
        return Array(entries.drop { $0.id <= id }.prefix(limit))
    }
}
