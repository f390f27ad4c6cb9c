import RedisStreams
import StageKit

/// What a worker asks a server.
enum Command: Sendable, Equatable {
    /// INFO server.
    case identity
    /// XREVRANGE of one id.
    case anchor(EntryID)
    /// XREVRANGE of the last entry.
    case tail
    /// XINFO STREAM.
    case look
    /// HGETALL of a session's key.
    case key(Int)
    /// XREAD behind an id, waiting for so many milliseconds where there is nothing.
    case read(behind: EntryID, block: Int)
    /// XREAD behind `$`: only planted.
    case readNew(block: Int)
}

/// What a server answers.
enum Reply: Sendable {
    /// A run id.
    case identity(String)
    /// Whether the entry is there.
    case anchor(Bool)
    /// The last entry's id.
    case tail(EntryID)
    /// The stream as it was at that time, and which it was.
    case look(StreamFacts?, at: Int, lineage: Int?)
    /// A key.
    case key(Int, ModelServer.Key?)
    /// Entries, as they were at that time.
    case entries([ModelEntry], at: Int)
    /// Nothing within the block.
    case nothing
}

/// One connection: commands in order, replies in order, a read that waits holds up what is behind it, as with Redis.
struct Wire: Sendable {
    /// Commands that have not got to the server.
    private(set) var commands: [Command] = []
    /// The read that waits, and until when.
    private(set) var blocked: (behind: EntryID, until: Int)?
    /// Replies that have not got to the worker.
    private(set) var replies: [Reply] = []

    /// Sends a command.
    mutating func send(_ command: Command) { self.commands.append(command) }

    /// Takes the next reply.
    mutating func receive() -> Reply? { self.replies.isEmpty ? nil : self.replies.removeFirst() }

    /// Whether the server has something to do.
    func isWaiting(at time: Int) -> Bool {
        if let blocked { return blocked.until <= time }
        return !self.commands.isEmpty
    }

    /// Has the server work on the next command, or end a wait that is over.
    mutating func execute(_ server: ModelServer, _ limit: Int, at time: Int) {
        if let blocked {
            guard blocked.until <= time else { return }
            self.blocked = nil
            self.replies.append(.nothing)
            return
        }
        guard !self.commands.isEmpty else { return }
        switch self.commands.removeFirst() {
        case .identity: self.replies.append(.identity(server.runID))
        case .anchor(let id):
            self.replies.append(.anchor(server.stream?.entries.contains { $0.id == id } ?? false))
        case .tail: self.replies.append(.tail(server.stream?.entries.last?.id ?? .zero))
        case .look: self.replies.append(.look(server.facts, at: time, lineage: server.stream?.lineage))
        case .key(let session): self.replies.append(.key(session, server.keys[session]))
        case .read(let id, let block): self.read(server, id, limit, at: time, until: time + block)
        case .readNew(let block):
            self.read(server, server.stream?.generated ?? .zero, limit, at: time, until: time + block)
        }
    }

    private mutating func read(_ server: ModelServer, _ id: EntryID, _ limit: Int, at time: Int, until end: Int) {
        let entries = server.entries(behind: id, limit: limit)
        if entries.isEmpty { self.blocked = (id, end) } else { self.replies.append(.entries(entries, at: time)) }
    }

    /// Serves a read that waits, after an entry was added.
    mutating func wake(_ server: ModelServer, _ limit: Int, at time: Int) {
        guard let (id, _) = self.blocked else { return }
        let entries = server.entries(behind: id, limit: limit)
        if entries.isEmpty { return }
        self.blocked = nil
        self.replies.append(.entries(entries, at: time))
    }
}
